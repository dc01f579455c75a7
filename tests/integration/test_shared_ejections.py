"""What one gateway keeps out of rotation, another one is quicker to keep out; people see it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest.mock import ANY

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from tests.fakes import answers
from tests.fakes.answers import Answer
from tests.fakes.engine import Engine, Request, openai
from tests.integration.cli.small_hive import geniehive
from tests.integration.cluster import Cluster, running_cluster
from tests.processes import START_SECONDS, spawning, wait_until

FAILURES = 5  # in a row, after which a gateway keeps a service out
# Nothing brings it back meanwhile but an answer: where nobody else serves, it is asked on.
EJECTION = {"failures": FAILURES, "pause": 600}
QUESTION = {"model": "h1/one", "messages": [{"role": "user", "content": "Say hello"}]}

# One that fails, and the same when nobody else is left.
FAILED = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE)

HEALTHY = openai(["small"])


def broken(request: Request) -> Answer:
    """Answer as an engine that lists its models and fails to run them."""
    return answers.failure(500, "out of memory") if request.method == "POST" else HEALTHY(request)


class Pair:
    """Two gateways of one cluster, before an engine that a test breaks and mends."""

    def __init__(self, cluster: Cluster, urls: list[str], engine: Engine) -> None:
        self.cluster = cluster
        self.engine = engine
        self._urls = urls

    def ask(self, number: int) -> int:
        """Return the status that a gateway answers with."""
        url = f"{self._urls[number]}/v1/chat/completions"
        return httpx.post(url, json=QUESTION, trust_env=False).status_code

    def ejection(self) -> dict[str, object] | None:
        """Return what `geniehive status` says that gateways keep out."""
        told = json.loads(geniehive(self.cluster, "status", "--json").stdout)
        (service,) = told["hosts"][0]["services"]
        return service["ejection"]

    def wait_until_kept_out(self, gateways: int, seconds: float = START_SECONDS) -> None:
        """Wait until so many gateways keep the service out."""

        def counted() -> bool:
            return (self.ejection() or {"gateways": 0})["gateways"] == gateways

        wait_until(counted, seconds, f"kept out by {gateways}")


@contextmanager
def pair_of_gateways(folder: Path) -> Iterator[Pair]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Engine(HEALTHY)) as engine,
        running_cluster(
            folder,
            [{"service_id": "one", "endpoint": engine.url}],
            gateway={"ejection": EJECTION},
        ) as cluster,
        spawning(folder / "second") as spawn,
    ):
        settings = {"listen": "127.0.0.1:0", "control": cluster.control_address}
        second = spawn("gateway", {**settings, "ejection": EJECTION})
        found = Pair(cluster, [cluster.url, f"http://127.0.0.1:{second.port()}"], engine)
        for number in (0, 1):
            wait_until(lambda n=number: found.ask(n) == 200, START_SECONDS, "an answer")
        yield found


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    (tmp_path / "second").mkdir()
    with pair_of_gateways(tmp_path) as found:
        yield found


def test_what_one_gateway_keeps_out_another_keeps_out_sooner_until_it_works_again(pair: Pair):
    pair.engine.script = broken
    for _ in range(FAILURES):
        assert pair.ask(0) in FAILED
    pair.wait_until_kept_out(1)
    # The hint may be on its way still; without one it would take as many failures here.
    for _ in range(FAILURES - 1):
        assert pair.ask(1) in FAILED
        with suppress(AssertionError):
            pair.wait_until_kept_out(2, seconds=2.0)
            break
    assert pair.ejection() == {"remaining_s": ANY, "reason": ANY, "gateways": 2}
    screen = geniehive(pair.cluster, "status").stdout
    assert re.search(r" up, ejected \w+: \d answers? 500 ", screen)
    assert geniehive(pair.cluster, "status", "--check").returncode == 1

    pair.engine.script = HEALTHY
    for number in (0, 1):
        wait_until(lambda n=number: pair.ask(n) == httpx.codes.OK, START_SECONDS, "an answer")
    pair.wait_until_kept_out(0)
    assert "ejected" not in geniehive(pair.cluster, "status").stdout
