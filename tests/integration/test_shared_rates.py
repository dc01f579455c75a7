"""What one gateway learns of engines the others start with, whoever is restarted; who waits
in one that is killed waits nowhere."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.cli.small_hive import geniehive
from tests.integration.cluster import Cluster, running_cluster
from tests.integration.gateway.front import request
from tests.processes import START_SECONDS, Service, spawning, stop_all, wait_until
from tests.series import series

PACE = 0.02  # seconds a word
PATIENTLY: Any = {"trust_env": False, "timeout": START_SECONDS}
LEARNED = "learned_decode_tokens_per_second"
QUESTION = {
    "model": "small",
    "stream": True,
    "messages": [{"role": "user", "content": "Say hello " * 200}],
}


class Hive:
    """A cluster with one slot, and gateways that a test starts and kills."""

    def __init__(self, cluster: Cluster, spawn: Any) -> None:
        self.cluster = cluster
        self._spawn = spawn

    def gateway(self) -> str:
        """Start one more; return its address when it serves."""
        settings = {"listen": "127.0.0.1:0", "control": self.cluster.control_address}
        url = f"http://127.0.0.1:{self._spawn('gateway', settings).port()}"
        wait_until(lambda: _serves(url), START_SECONDS, "the model")
        return url

    def learned(self) -> list[dict[str, Any]]:
        """Return what people are told that was learned of the engine."""
        return list(self.service()["learned"])

    def service(self) -> dict[str, Any]:
        told = json.loads(geniehive(self.cluster, "status", "--json").stdout)
        (service,) = told["hosts"][0]["services"]
        return dict(service)


def _serves(url: str) -> bool:
    return httpx.get(f"{url}/v1/models/small", **PATIENTLY).is_success


def rate(url: str) -> float | None:
    """Return how fast the engine writes, as a gateway believes; None while it does not know."""
    found = series(httpx.get(f"{url}/metrics", **PATIENTLY).text)
    return next((value for name, value in found.items() if name.startswith(LEARNED)), None)


def ask(url: str) -> None:
    answer = httpx.post(f"{url}/v1/chat/completions", json=QUESTION, **PATIENTLY)
    assert answer.status_code == httpx.codes.OK


@contextmanager
def waiting(cluster: Cluster, count: int) -> Iterator[None]:
    """Keep so many requests at the engine, or before it, until the block ends."""
    asked = request(json.dumps(QUESTION).encode())
    with ExitStack() as clients:
        for _ in range(count):
            address = ("127.0.0.1", cluster.gateway.port())
            clients.enter_context(socket.create_connection(address)).sendall(asked)
        yield


@pytest.fixture
def hive(tmp_path: Path) -> Iterator[Hive]:
    (tmp_path / "more").mkdir()
    pace = ["--pace", str(PACE), "--words", "40"]
    engine = Service(["tests.fakes.engine", "--model", "small", *pace], tmp_path / "engine.log")
    services = [
        {"service_id": "s", "endpoint": f"http://127.0.0.1:{engine.port()}", "concurrency": 1}
    ]
    try:
        with (
            running_cluster(tmp_path, services) as cluster,
            spawning(tmp_path / "more") as spawn,
        ):
            cluster.wait_for_model("small")
            yield Hive(cluster, spawn)
    finally:
        stop_all([engine])


def test_a_gateway_that_is_killed_takes_who_waits_along_and_leaves_what_it_learned(hive: Hive):
    other = hive.gateway()
    assert rate(other) is None
    ask(hive.cluster.url)

    wait_until(hive.learned, START_SECONDS, "what was learned")
    (told,) = hive.learned()
    assert told["asset_id"] == "small"
    assert 0 < told["decode_tokens_per_sec"]["1"] < 1.5 / PACE  # a busy machine makes it slow
    wait_until(lambda: rate(other) is not None, START_SECONDS, "what the other one learned")
    words = geniehive(hive.cluster, "services", "h1/s").stdout
    assert "  learned " in words
    assert "tok/s" in words

    with waiting(hive.cluster, 12):
        wait_until(lambda: hive.service()["waiting"] > 0, START_SECONDS, "who waits")
        hive.cluster.gateway.kill()
        wait_until(
            lambda: not hive.service()["waiting"] and not hive.service()["in_flight"],
            START_SECONDS,
            "nobody to wait",
        )
    new = hive.gateway()
    wait_until(lambda: rate(new) is not None, START_SECONDS, "what was learned before")
