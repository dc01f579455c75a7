"""Two real llama.cpp servers of different speed, on a host each, behind one role a strategy."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from control.api.strategies import Strategy
from tests.integration.conftest import start_llamacpp
from tests.processes import START_SECONDS, Service, spawning, stop_all, wait_until

# By name the slow one would come first: what prefers the other one has measured it.
SLOW, FAST = "attic/llama", "desk/llama"
HOSTS = {"attic": SLOW, "desk": FAST}
SHARE = 0.25  # of the time, in which the slow one runs
PERIOD_S = 0.04  # in which it runs and stands still once
MODEL = "smollm2-135m"


@dataclass(frozen=True, slots=True)
class Pair:
    """The two, as a client sees them. url: of the gateway."""

    url: str

    def scores(self) -> dict[str, float]:
        """Return what each is worth for a role, as gateways were told."""
        return {one["service_id"]: one["score"] for one in self._explanation()["candidates"]}

    def is_known(self) -> bool:
        """Return whether the fast one is known to be the better one."""
        scores = self.scores()
        return scores[FAST] > scores[SLOW]

    def settle(self) -> None:
        """Wait until both are known to be idle."""
        wait_until(self._idle, START_SECONDS, "both are idle")

    def _idle(self) -> bool:
        found = self._explanation()["explanations"]
        return not any(one["in_flight"] or one["queue_depth"] for one in found)

    def _explanation(self) -> dict[str, Any]:
        answer = httpx.get(
            f"{self.url}/v1/cluster/routes/resolve",
            params={"model": role(Strategy.SCORED), "explain": "1"},
            trust_env=False,
        )
        found: dict[str, Any] = answer.raise_for_status().json()["explanation"]
        return found


# How they compare where requests are sent at once; `tests.waiting` has them where requests wait.
COMPARED = tuple(one for one in Strategy if one is not Strategy.EXPECTED_COMPLETION)


def role(strategy: Strategy) -> str:
    """Return the role that is served by a strategy."""
    return f"chat-{strategy.value.replace('_', '-')}"


CATALOG = {
    "roles": [
        {"role_id": role(one), "operation": "chat", "routing_policy": {"strategy": one.value}}
        for one in Strategy
    ]
}


@contextmanager
def running_pair(folder: Path, share: float = SHARE) -> Iterator[Pair]:
    """Run both servers, a node beside each, control and a gateway.

    share: of the time, in which the slow one runs; 1: the two are equal.
    """
    with ExitStack() as stack:
        engines = {}
        for host_id in HOSTS:
            engines[host_id] = start_llamacpp(folder / f"{host_id}.engine.log")
            stack.callback(stop_all, [engines[host_id]])
        spawn = stack.enter_context(spawning(folder))
        roles = folder / "roles.yaml"
        roles.write_text(yaml.safe_dump(CATALOG))
        control = spawn(
            "control",
            {
                "listen": "127.0.0.1:0",
                "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
                # What waits inside an engine travels with beats.
                "registry": {"grace_s": 0, "heartbeat_interval_s": 0.5},
                "roles_path": str(roles),
                "routing": {"waiting_room": "off"},
            },
        )
        address = f"127.0.0.1:{control.port()}"
        for host_id, engine in engines.items():
            endpoint = f"http://127.0.0.1:{engine.port()}"
            services = [{"service_id": "llama", "endpoint": endpoint}]
            node = {"control": address, "node": {"host_id": host_id}, "services": services}
            spawn("node", node)
        gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": address})
        pair = Pair(f"http://127.0.0.1:{gateway.port()}")
        wait_until(lambda: _serving(pair.url) == set(HOSTS.values()), START_SECONDS, "both serve")
        if share < 1:
            stack.enter_context(throttled(engines[SLOW.partition("/")[0]], share))
        yield pair


def _serving(url: str) -> set[str]:
    answer = httpx.get(f"{url}/v1/models/{MODEL}", trust_env=False)
    return set(answer.json()["geniehive"]["services"]) if answer.is_success else set()


@contextmanager
def throttled(service: Service, share: float) -> Iterator[None]:
    """Let a process run for a share of the time only, as it would on a slower machine."""
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            service.process.send_signal(signal.SIGSTOP)
            over.wait(PERIOD_S * (1 - share))
            service.process.send_signal(signal.SIGCONT)
            over.wait(PERIOD_S * share)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        service.process.send_signal(signal.SIGCONT)
