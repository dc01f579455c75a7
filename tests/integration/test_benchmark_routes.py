"""A benchmark changes who serves a role, until it fades: real processes, two equal engines."""

import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import yaml
from anyio.from_thread import start_blocking_portal
from geniehive.v1 import benchmark_service_pb2 as pb
from geniehive.v1 import benchmark_service_pb2_grpc as pb_grpc
from geniehive.v1 import routing_service_pb2 as routing_pb
from geniehive.v1 import routing_service_pb2_grpc as routing_grpc

from tests.fakes.engine import Engine, openai
from tests.processes import START_SECONDS, Service, Spawn, spawning, wait_until

ROLES = {
    "roles": [
        {
            "role_id": "thinker",
            "operation": "chat",
            "routing_policy": {"agentic_benchmark_workloads": ["chat.short_reasoning"]},
        }
    ]
}
HALF_LIFE_S = 60
LASTS_S = 10 * HALF_LIFE_S
SECONDS_LEFT = 3.0  # of a run that is almost forgotten


@dataclass(slots=True)
class Scene:
    """A control that is started again on the same port, and what a client sees."""

    spawn: Spawn
    settings: dict[str, object]
    control: Service
    gateway: Service

    @property
    def address(self) -> str:
        return str(self.settings["listen"])

    def server(self) -> str:
        """Return who answers a request for the role."""
        answer = httpx.post(
            f"http://127.0.0.1:{self.gateway.port()}/v1/chat/completions",
            json={"model": "thinker", "messages": [{"role": "user", "content": "hi"}]},
            timeout=START_SECONDS,
            trust_env=False,
        )
        return answer.headers.get("x-geniehive-service", answer.text)

    def wait_for(self, service_id: str) -> None:
        wait_until(lambda: self.server() == service_id, START_SECONDS, f"{service_id} answers")

    def why(self, service_id: str) -> str:
        """Return what control says of a service's benchmarks; nothing while it cannot serve."""
        with grpc.insecure_channel(self.address) as channel:
            answer = routing_grpc.RoutingServiceStub(channel).ResolveRoute(
                routing_pb.ResolveRouteRequest(model="thinker", explain=True),
                timeout=START_SECONDS,
                wait_for_ready=True,
            )
        terms = [
            term.detail
            for one in answer.explanations
            for term in one.terms
            if one.service_id == service_id and term.name == "benchmark"
        ]
        return terms[0] if terms else ""

    def ingest(self, service_id: str, age: float) -> pb.IngestBenchmarkSamplesResponse:
        sample = pb.BenchmarkSample(
            benchmark_id="run-1", service_id=service_id, workload="chat.short_reasoning"
        )
        sample.observed_time.FromMilliseconds(int((time.time() - age) * 1_000))
        sample.results.update({"pass_rate": 1.0, "tokens_per_sec": 40, "ttft_ms": 100})
        with grpc.insecure_channel(self.address) as channel:
            return pb_grpc.BenchmarkServiceStub(channel).IngestBenchmarkSamples(
                pb.IngestBenchmarkSamplesRequest(samples=[sample]), timeout=START_SECONDS
            )

    def restart(self) -> None:
        self.control.kill()
        self.control = self.spawn("control", self.settings)
        self.control.port()

    def forget_slowly(self) -> None:
        """Give benchmarks the usual half-life."""
        path = self.control.log.with_suffix(".yaml")
        path.write_text(yaml.safe_dump({**self.settings, "routing": {}}))
        self.control.process.send_signal(signal.SIGHUP)


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    catalog = folder / "roles.yaml"
    catalog.write_text(yaml.safe_dump(ROLES))
    settings: dict[str, object] = {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
        "roles_path": str(catalog),
        # Only with its next beat a node notices that control was started again.
        "registry": {"heartbeat_interval_s": 0.5, "lease_intervals": 20},
        "routing": {"scoring": {"benchmark": {"half_life_s": HALF_LIFE_S}}},
    }
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        engines = [
            stack.enter_context(portal.wrap_async_context_manager(Engine(openai(["m"]))))
            for _ in range(2)
        ]
        spawn = stack.enter_context(spawning(folder))
        control = spawn("control", settings)
        settings["listen"] = f"127.0.0.1:{control.port()}"
        services = [
            {"service_id": name, "kind": "chat", "protocol": "openai", "endpoint": engine.url}
            for name, engine in zip("ab", engines, strict=True)
        ]
        at = {"control": settings["listen"]}
        spawn("node", {**at, "node": {"host_id": "h"}, "services": services})
        gateway = spawn("gateway", {**at, "listen": "127.0.0.1:0"})
        yield Scene(spawn, settings, control, gateway)


def test_a_benchmark_changes_who_serves_a_role_until_it_fades(tmp_path: Path):
    with scene(tmp_path) as cluster:
        wait_until(
            lambda: cluster.why("h/a") == cluster.why("h/b") == "no runs",
            START_SECONDS,
            "both are known",
        )
        # Equals: the smaller name answers.
        cluster.wait_for("h/a")

        assert cluster.ingest("h/b", age=0).created_count == 1
        cluster.wait_for("h/b")
        assert re.fullmatch(r"1 run, fit 1\.00, quality 1\.00, \ds old", cluster.why("h/b"))
        assert cluster.why("h/a") == "no runs"

        cluster.restart()
        wait_until(
            lambda: cluster.why("h/b").startswith("1 run, fit "), START_SECONDS, "it is still known"
        )
        cluster.wait_for("h/b")

        assert cluster.ingest("h/b", age=LASTS_S - SECONDS_LEFT).replaced_count == 1
        cluster.wait_for("h/a")
        assert cluster.why("h/b") == "no runs"

        cluster.forget_slowly()
        cluster.wait_for("h/b")
        assert re.fullmatch(r"1 run, fit 1\.00, quality 1\.00, 10m old", cluster.why("h/b"))
