.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.PHONY: help run install test test-all chaos routing waiting benchmarks lint gen gen-check lock bench clean \
  buf demo engines speech

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# A stamp says that the environment holds what its lock says.
BASE := $(VENV)/.base
DEV := $(VENV)/.dev
DEMO := $(VENV)/demo
ENGINES := $(VENV)/engines
SPEECH := $(VENV)/speech
NODE := .node
BUF := $(NODE)/buf
NPM := $(shell command -v npm)
GEN := gen
PROTOC := $(PY) -m grpc_tools.protoc -I proto
COMPILE = uv pip compile --quiet $(UPGRADE) --universal --generate-hashes --no-annotate --no-header \
  --python-version 3.11
# What cannot be had is a failure in CI and a loud skip elsewhere.
MISSING = sh -c 'echo "skipped: $$0" >&2; test -z "$$CI"'

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 18

run: $(BASE)  ## start everything on this machine
	@$(VENV)/bin/geniehive up

install: $(BASE)  ## put the geniehive command into .venv/bin

test: $(DEV) buf demo engines  ## run all tests
	@$(PY) -m pytest -n 3 --dist loadfile  # most of them wait, for other processes

test-all: speech test  ## run all tests, and those with a real speech model, 270 MB

chaos: $(DEV)  ## measure the promises of docs/promises.md (P=R1: that one, SHORT=1: in seconds)
	@$(PY) -m tests.chaos $(if $(SHORT),--short) $(P)

routing: $(DEV) demo  ## measure who answers under which strategy, 10 minutes; writes docs/routing.*
	@$(PY) -m tests.transcript

replay: $(DEV)  ## simulate how traces fare, 15 minutes; TRACES="FILE..."; writes docs/routing.md
	@$(PY) -m bench.replay $(TRACES)

waiting: $(DEV) demo engines  ## measure what waiting in the gateway is worth, 50 minutes; TRACE=FILE; writes docs/
	@test -n "$(TRACE)" || { echo "error: no trace; fix: make waiting TRACE=FILE" >&2; exit 1; }
	@$(PY) -m tests.waiting.fairness
	@$(PY) -m tests.waiting.thrash >/dev/null  # what the engine says
	@$(PY) -m tests.waiting $(TRACE)

benchmarks: $(DEV) demo  ## show how a benchmark changes a route, 11 minutes; writes docs/benchmarks.md
	@$(PY) -m tests.transcript.benchmarks

lint: $(DEV) buf  ## check form, types and protos
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy
	@test ! -x $(BUF) || $(BUF) lint

gen: $(DEV)  ## regenerate gen/ from proto/
	@rm -rf $(GEN) && mkdir -p $(GEN)
	@$(PROTOC) --python_out=$(GEN) --pyi_out=$(GEN) proto/geniehive/v1/*.proto
	@$(PROTOC) --grpc_python_out=$(GEN) proto/geniehive/v1/*_service.proto

gen-check:  ## fail if gen/ is stale
	@$(MAKE) gen GEN=build/gen
	@diff -r -x __pycache__ build/gen gen || { echo "error: gen/ is stale; fix: make gen" >&2; exit 1; }

lock:  ## remake the lock files after a change of dependencies (UPGRADE=-U: newest releases)
	@command -v uv >/dev/null || { echo "error: uv is not installed; fix: pipx install uv" >&2; exit 1; }
	@$(COMPILE) requirements/build.in -o requirements/build.lock
	@$(COMPILE) pyproject.toml -o requirements/base.lock
	@$(COMPILE) pyproject.toml requirements/build.in --extra dev -c requirements/base.lock \
	  -c requirements/build.lock -o requirements/dev.lock
	@$(COMPILE) --no-deps requirements/demo.in -o requirements/demo.lock
	@$(COMPILE) --no-deps requirements/engines.in -o requirements/engines.lock
	@$(COMPILE) requirements/speech.in -o requirements/speech.lock
	@for peer in requirements/bench-*.in; do $(COMPILE) $$peer -o $${peer%.in}.lock || exit; done

bench: $(DEV)  ## measure speed against others, 15 minutes; writes docs/performance.*
	@$(VENV)/bin/geniehive bench peers --publish --fleet 1000 --fleet 5000 --roles 100 --views 1000

clean:  ## remove everything that make made; state/ stays
	@rm -rf $(VENV) $(NODE) build

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1)" >&2; \
	  echo "fix: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(BASE): requirements/build.lock requirements/base.lock pyproject.toml | $(PY)
	@$(PY) requirements/install.py requirements/build.lock requirements/base.lock
	@touch $@

# The development lock contains the other two, at the same versions.
$(DEV): requirements/build.lock requirements/dev.lock pyproject.toml | $(PY)
	@$(PY) requirements/install.py requirements/build.lock requirements/dev.lock
	@touch $(BASE) $@

# Tools and weights that only tests need, from the registries of the user's own configuration.
buf: $(if $(NPM),$(BUF))
	@test -n "$(NPM)" || $(MISSING) "buf: node is not installed"

$(BUF): tests/tools/package-lock.json
	@mkdir -p $(NODE) && cp tests/tools/package.json tests/tools/package-lock.json $(NODE)
	@npm ci --prefix $(NODE) --ignore-scripts --no-audit --no-fund --loglevel error >&2 \
	  && ln -sf $$(cd $(NODE) && ls node_modules/@bufbuild/buf-*/bin/buf) $@ && $@ --version >/dev/null && touch $@ \
	  || { rm -f $@; $(MISSING) "buf: it cannot be installed here"; }

demo: $(DEMO)/.stamp
engines: $(ENGINES)/.stamp
speech: $(SPEECH)/.stamp

$(DEMO)/.stamp: FETCHED = a small model for the tests, 130 MB
$(ENGINES)/.stamp: FETCHED = llama-server for the tests, 68 MB
$(SPEECH)/.stamp: FETCHED = a model of speech for the tests, 270 MB

# Each in a folder beside the environment, so that nothing else can import it.
$(VENV)/%/.stamp: requirements/%.lock | $(DEV)
	@printf '  %-10s %s\n' $* "$(FETCHED)" >&2
	@rm -rf $(@D) && $(PY) -m pip install --require-hashes --no-deps --only-binary :all: \
	  --target $(@D) -r $< && touch $@ \
	  || $(MISSING) "$(FETCHED): it cannot be fetched"
