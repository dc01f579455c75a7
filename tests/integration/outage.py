"""Clients do not notice that control is gone: the figure, and the test of it.

`python tests/integration/outage.py --seconds 60` runs a cluster under an open load, kills
control and starts it again with its store, kills it and starts it again with an empty
one, and prints what clients saw.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as rpc

from control.api.channel import control_errors, sync_channel
from control.api.errors import GenieHiveError
from tests.processes import Service, stop_all, wait_until

GRACE_SECONDS = 4  # how long control waits for hosts before absence counts
SETTLE_SECONDS = 30.0
OBSERVE_SECONDS = 1.0
MODELS = [f"model-{number}" for number in range(5)]


@dataclass(slots=True)
class Figures:
    """What clients and operators saw."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # of each answer
    table_sizes: list[int] = field(default_factory=list)
    node_back: list[float] = field(default_factory=list)  # seconds after control listened

    @property
    def failed(self) -> int:
        return self.answers.total() - self.answers["ok"]

    def at(self, share: float) -> float:
        """Return the quantile of the seconds of an answer."""
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))]

    def report(self) -> str:
        back = ", ".join(f"{seconds:.2f} s" for seconds in self.node_back)
        return (
            f"{self.answers.total()} requests, {self.failed} failed {dict(self.answers)}; "
            f"p50 {self.at(0.5) * 1000:.1f} ms, p99 {self.at(0.99) * 1000:.1f} ms; "
            f"models listed {min(self.table_sizes)} to {max(self.table_sizes)}; "
            f"node back after {back}"
        )


class Machine:
    """The processes of one cluster, control on a port that stays its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        models = [word for model in MODELS for word in ("--model", model)]
        self.engine = Service(
            ["tests.fakes.engine", *models, "--pace", "0.01"], folder / "engine.log"
        )
        self.store = folder / "geniehive.sqlite3"
        self.control_port = 0
        self.control = self.start_control()
        self.control_port = self.control.port()
        address = f"127.0.0.1:{self.control_port}"
        engine = f"http://127.0.0.1:{self.engine.port()}"
        node = {
            "control": address,
            "node": {"host_id": "h1"},
            "services": [{"service_id": "fake", "endpoint": engine}],
        }
        self.node = self._start("node", node)
        self.gateway = self._start("gateway", {"listen": "127.0.0.1:0", "control": address})
        self.url = f"http://127.0.0.1:{self.gateway.port()}"

    def start_control(self) -> Service:
        settings = {
            "listen": f"127.0.0.1:{self.control_port}",
            "storage": {"sqlite_path": str(self.store)},
            "registry": {"heartbeat_interval_s": 1, "grace_s": GRACE_SECONDS},
        }
        return self._start("control", settings)

    def empty_the_store(self) -> None:
        for file in self.folder.glob(f"{self.store.name}*"):
            file.unlink()

    def health(self) -> pb.GetClusterHealthResponse:
        """Return what control says of the cluster; nothing while it does not answer."""
        with sync_channel(f"127.0.0.1:{self.control_port}") as channel:
            stub = rpc.DiscoveryServiceStub(channel)
            try:
                with control_errors():
                    health: pb.GetClusterHealthResponse = stub.GetClusterHealth(
                        pb.GetClusterHealthRequest(), timeout=1.0
                    )
            except GenieHiveError:
                health = pb.GetClusterHealthResponse()
        return health

    def node_is_back(self) -> bool:
        return bool(self.health().online_host_count == 1)

    def absence_counts(self) -> bool:
        """Whether control has told the gateway that its table is the whole truth."""
        health = self.health()
        return bool(health.settled and health.gateway_count == 1)

    def listed(self) -> int:
        """Return how many models the gateway offers."""
        answer = httpx.get(f"{self.url}/v1/models", trust_env=False)
        return len(answer.json()["data"]) if answer.is_success else 0

    def stop(self) -> None:
        stop_all([self.engine, self.control, self.node, self.gateway])

    def _start(self, module: str, settings: Mapping[str, object]) -> Service:
        path = self.folder / f"{module}.yaml"
        path.write_text(yaml.safe_dump(settings))
        return Service([module, "--config", str(path)], self.folder / f"{module}.log")


async def measure(machine: Machine, rate: float, down: float) -> Figures:
    """Load the gateway at `rate` requests a second and let control fail twice for `down` s."""
    figures = Figures()
    async with (
        httpx.AsyncClient(base_url=machine.url, trust_env=False, timeout=10.0) as client,
        asyncio.TaskGroup() as group,
    ):
        load = group.create_task(_load(client, rate, figures))
        watch = group.create_task(_watch(client, figures))
        await asyncio.sleep(OBSERVE_SECONDS)
        for empty in (False, True):
            await _outage(machine, down, figures, empty=empty)
        load.cancel()
        watch.cancel()
    return figures


async def _outage(machine: Machine, down: float, figures: Figures, *, empty: bool) -> None:
    machine.control.kill()
    if empty:
        machine.empty_the_store()
    await asyncio.sleep(down)
    machine.control = machine.start_control()
    await asyncio.to_thread(machine.control.port)
    listening_at = time.monotonic()
    await asyncio.to_thread(wait_until, machine.node_is_back, SETTLE_SECONDS, "the node is back")
    figures.node_back.append(time.monotonic() - listening_at)
    # Only from here on would the gateway drop what it does not see in control's table.
    await asyncio.to_thread(wait_until, machine.absence_counts, SETTLE_SECONDS, "settled")
    await asyncio.sleep(OBSERVE_SECONDS)


async def _load(client: httpx.AsyncClient, rate: float, figures: Figures) -> None:
    """Send requests on time, however long the answers take; every second one is a stream."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    async with asyncio.TaskGroup() as group:
        number = 0
        try:
            while True:
                due = begin + number / rate
                await asyncio.sleep(max(0.0, due - loop.time()))
                group.create_task(_ask(client, number, figures))
                number += 1
        except asyncio.CancelledError:
            pass  # no new ones; those under way are waited for


async def _ask(client: httpx.AsyncClient, number: int, figures: Figures) -> None:
    stream = number % 2 == 1
    body = {
        "model": MODELS[number % len(MODELS)],
        "messages": [{"role": "user", "content": "hello"}],
        "stream": stream,
    }
    begin = time.monotonic()
    try:
        answer = await client.post("/v1/chat/completions", json=body)
    except httpx.HTTPError as error:
        figures.answers[type(error).__name__] += 1
        return
    whole = answer.text.endswith("data: [DONE]\n\n") if stream else '"usage"' in answer.text
    figures.seconds.append(time.monotonic() - begin)
    figures.answers[
        "ok" if answer.is_success and whole else f"{answer.status_code}, whole: {whole}"
    ] += 1


async def _watch(client: httpx.AsyncClient, figures: Figures) -> None:
    while True:
        listed = await client.get("/v1/models")
        figures.table_sizes.append(len(listed.json()["data"]))
        await asyncio.sleep(0.05)


def run(folder: Path, *, rate: float, down: float) -> Figures:
    """Return the figures of one run in `folder`, which holds the logs afterwards."""
    machine = Machine(folder)
    try:
        wait_until(lambda: machine.listed() >= len(MODELS), SETTLE_SECONDS, "models are listed")
        return asyncio.run(measure(machine, rate, down))
    finally:
        machine.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long control is down")
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="geniehive-outage-"))
    figures = run(folder, rate=given.rate, down=given.seconds)
    print(f"{figures.report()}; logs in {folder}")  # a figure for people
    return 1 if figures.failed else 0


if __name__ == "__main__":
    sys.exit(main())
