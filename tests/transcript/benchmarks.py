"""A run of a benchmark changes who serves a role, until it has faded: `make benchmarks`.

Two real llama.cpp servers with one model; it takes eleven minutes, ten of which nothing
happens. Writes the part of docs/benchmarks.md that tells it.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench import marks
from control.ranking.runs import LAST_HALF_LIFE
from tests.integration.conftest import start_llamacpp
from tests.processes import START_SECONDS, Service, Spawn, spawning, stop_all, wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs/benchmarks.md"
MARK = "a run that changes a route, made by `make benchmarks`"

MODEL, ROLE, WORKLOAD = "smollm2-135m", "help-desk", "chat.concise_support"
# Of equals the smaller name serves. Its answers end after three tokens; the other's do not.
CUT, WHOLE = "attic/llama", "desk/llama"
POLICIES: Mapping[str, object] = {CUT: {"body_overrides": {"max_tokens": 3}}, WHOLE: None}
CATALOG = {
    "roles": [
        {
            "role_id": ROLE,
            "operation": "chat",
            "routing_policy": {"agentic_benchmark_workloads": [WORKLOAD]},
        }
    ]
}
HALF_LIFE_S = 60
FADED_S = HALF_LIFE_S * LAST_HALF_LIFE
# However fast the two are found to be, it is worth the same: benchmarks alone tell them apart.
SCORING = {
    "runtime": {"latency_ms": [], "slower": 0, "tokens_per_second": []},
    "benchmark": {"half_life_s": HALF_LIFE_S},
}

EXPLAIN = ("route", "explain", ROLE)
# Two at a time, so that both are asked.
RUN = ("bench", "run", WORKLOAD, "--target", ROLE, "--concurrency", "2", "--repeats", "40")


@dataclass(slots=True)
class Scene:
    """A cluster with the two; its control may be started again at the same address."""

    folder: Path
    spawn: Spawn
    settings: dict[str, object]
    control: Service
    url: str

    def say(self, *command: str) -> str:
        """Return what `geniehive` answers to a command, on both streams in their order."""
        places = {"GENIEHIVE_CONTROL": str(self.settings["listen"]), "GENIEHIVE_GATEWAY": self.url}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "cli", *command],
            cwd=self.folder,
            env={**os.environ, **places},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=10 * START_SECONDS,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def server(self) -> str:
        """Return who answers a request for the role."""
        answer = httpx.post(
            f"{self.url}/v1/chat/completions",
            json={
                "model": ROLE,
                "messages": [{"role": "user", "content": "Say hello"}],
                "max_tokens": 8,
            },
            timeout=START_SECONDS,
            trust_env=False,
        )
        return str(answer.headers.get("x-geniehive-service", answer.text))

    def wait_for(self, service_id: str) -> None:
        """Wait until a service answers for the role, and both are known to be ready and idle."""
        wait_until(
            lambda: self.server() == service_id and self.is_settled(),
            START_SECONDS,
            f"{service_id} answers",
        )

    def is_settled(self) -> bool:
        """Return whether both are known to have the model in memory, and nothing to do."""
        found = self._explained()
        details = [str(term["detail"]) for one in found for term in one["terms"]]
        loaded = sum(detail.startswith("loaded") for detail in details)
        busy = any(one["in_flight"] or one["queue_depth"] for one in found)
        return loaded == len(POLICIES) and not busy

    def _explained(self) -> Sequence[dict[str, Any]]:
        """Return what control says of the two; nothing while it does not know the role."""
        answer = httpx.get(
            f"{self.url}/v1/cluster/routes/resolve",
            params={"model": ROLE, "explain": "1"},
            trust_env=False,
        )
        found: Sequence[dict[str, Any]] = (
            answer.json()["explanation"]["explanations"] if answer.is_success else ()
        )
        return found


@contextmanager
def scene(folder: Path, engines: Mapping[str, str]) -> Iterator[Scene]:
    """Run control, a node beside each engine, and a gateway. engines: URLs, by service."""
    (roles := folder / "roles.yaml").write_text(yaml.safe_dump(CATALOG))
    settings: dict[str, object] = {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
        "registry": {"heartbeat_interval_s": 0.5},
        "roles_path": str(roles),
        "routing": {"scoring": SCORING},
    }
    with spawning(folder) as spawn:
        control = spawn("control", settings)
        settings["listen"] = address = f"127.0.0.1:{control.port()}"
        for service_id, policy in POLICIES.items():
            host_id, _, name = service_id.partition("/")
            asset = {"asset_id": MODEL, "request_policy": policy}
            service = {"service_id": name, "endpoint": engines[service_id], "assets": [asset]}
            spawn(
                "node",
                {"control": address, "node": {"host_id": host_id}, "services": [service]},
            )
        gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": address})
        here = Scene(folder, spawn, settings, control, f"http://127.0.0.1:{gateway.port()}")
        wait_until(here.is_settled, START_SECONDS, "both serve")
        yield here


@dataclass(frozen=True, slots=True)
class Moment:
    """Who serves, and what commands say. when: as words before them."""

    when: str
    server: str
    said: Sequence[tuple[Sequence[str], str]]  # commands, and what they said


def story(here: Scene, fade: Callable[[], None]) -> Sequence[Moment]:
    """Let a run change the route, and time change it back.

    Raises:
        AssertionError: another one serves than should.
    """
    here.wait_for(CUT)
    before = Moment("Before the run", CUT, [_ask(here, EXPLAIN)])
    run = _ask(here, RUN)
    here.wait_for(WHOLE)
    after = Moment("After it", WHOLE, [run, _ask(here, EXPLAIN)])
    fade()
    here.wait_for(CUT)
    return before, after, Moment("Ten minutes later", CUT, [_ask(here, EXPLAIN)])


def _ask(here: Scene, command: Sequence[str]) -> tuple[Sequence[str], str]:
    return command, here.say(*command)


def told(moments: Sequence[Moment]) -> str:
    """Return moments as they stand on the page."""
    parts = []
    for one in moments:
        blocks = "\n".join(f"$ geniehive {' '.join(words)}\n{said}" for words, said in one.said)
        parts.append(f"{one.when} `{one.server}` answers:\n\n```console\n{blocks}```\n")
    return "\n".join(parts)


def main() -> None:
    """Run it with real servers, and write the page."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engines = {}
        for service_id in POLICIES:
            engine = start_llamacpp(folder / f"{service_id.partition('/')[0]}.engine.log")
            stack.callback(stop_all, [engine])
            engines[service_id] = f"http://127.0.0.1:{engine.port()}"
        here = stack.enter_context(scene(folder, engines))
        moments = story(here, lambda: time.sleep(FADED_S))
    PAGE.write_text(marks.filled(PAGE.read_text(), MARK, told(moments).rstrip()))


if __name__ == "__main__":
    main()
