.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PROTOC := $(PY) -m grpc_tools.protoc -I proto

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 18

gen:  ## regenerate gen/ from proto/
	rm -rf gen && mkdir gen
	$(PROTOC) --python_out=gen --pyi_out=gen proto/geniehive/v1/*.proto
	$(PROTOC) --grpc_python_out=gen proto/geniehive/v1/*_service.proto
