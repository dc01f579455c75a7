"""What the way through a relay costs: the same engine behind it and beside the gateway."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import chat, processes
from bench.load import Plan, Record
from bench.load import run as load
from tests.chaos.promise import Figure, none, quantile, told
from tests.chaos.world import models_at
from tests.processes import (
    START_SECONDS,
    Service,
    Spawn,
    reserved_port,
    spawning,
    stop_all,
    wait_until,
)

WAYS = {"direct": "bench-0000", "relayed": "bench-0001"}
PATH = "/v1/chat/completions"
BODY_BYTES = 900
EVENTS = 64
GAP_MS = 5.0
STREAMS = 32  # at the same time: 6,400 events a second
WARM_S = 0.3
ADDED_MS = 1.0  # at the median


@dataclass(slots=True)
class Measured:
    """Of one way, in nanoseconds."""

    latencies: list[int] = field(default_factory=list)  # of requests one after the other
    first_events: list[int] = field(default_factory=list)  # of streams beside each other
    request_cpu: int = 0  # of the gateway and the node
    events: int = 0
    event_cpu: int = 0  # of these, with the requests for their streams
    errors: int = 0

    def add(self, whole: Record, streamed: Record) -> None:
        self.latencies += whole.latencies
        self.first_events += streamed.first_bytes
        self.request_cpu += whole.used.cpu_ns
        self.events += streamed.events
        self.event_cpu += streamed.used.cpu_ns
        self.errors += whole.errors.total() + streamed.errors.total()


def cost(folder: Path, rounds: int, seconds: float) -> list[Figure]:
    """Return what a relay adds to a request and to an event, both ways in turns."""
    found = {way: Measured() for way in WAYS}
    with _both_ways(folder) as (port, pids):
        for _ in range(rounds):
            for way, model in WAYS.items():
                whole = _run(port, pids, model, seconds, stream=False)
                found[way].add(whole, _run(port, pids, model, seconds, stream=True))
    direct, relayed = found["direct"], found["relayed"]
    figures = [
        _added("a request", direct.latencies, relayed.latencies, 0.5, at_most=ADDED_MS),
        _added("a request", direct.latencies, relayed.latencies, 0.99),
        _added("a first event", direct.first_events, relayed.first_events, 0.5),
        _added("a first event", direct.first_events, relayed.first_events, 0.99),
    ]
    for way, one in found.items():
        request = one.request_cpu / 1000 / max(1, len(one.latencies))
        event = one.event_cpu / 1000 / max(1, one.events)
        figures += [
            told(f"CPU of gateway and nodes for a request, {way}", round(request, 1), "µs"),
            told(f"CPU of gateway and nodes for an event, {way}", round(event, 1), "µs"),
        ]
    return [*figures, none("errors", direct.errors + relayed.errors)]


def _run(port: int, pids: Sequence[int], model: str, seconds: float, *, stream: bool) -> Record:
    content = chat.body(model, BODY_BYTES, stream=stream)
    request = chat.post(f"127.0.0.1:{port}", PATH, content, None)
    connections = STREAMS if stream else 1
    plan = Plan("127.0.0.1", port, request, connections, seconds, WARM_S)
    return load(plan, lambda: processes.usage(pids))


@contextmanager
def _both_ways(folder: Path) -> Iterator[tuple[int, list[int]]]:
    """Run an engine with a node that relays and one that does not; yield gateway and processes."""
    upstream = ["cli", "bench", "upstream", "--models", "2", "--gap-ms", str(GAP_MS)]
    with reserved_port() as at, spawning(folder) as spawn:
        engine = Service(
            [*upstream, "--events", str(EVENTS), "--port", str(at)], folder / "engine.log"
        )
        try:
            storage = {"sqlite_path": str(folder / "geniehive.sqlite3")}
            registry = {"grace_s": 0}
            control = spawn(
                "control", {"listen": "127.0.0.1:0", "storage": storage, "registry": registry}
            )
            address = f"127.0.0.1:{control.port()}"
            nodes = [_node(spawn, address, at, way, model) for way, model in WAYS.items()]
            gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": address})
            url = f"http://127.0.0.1:{gateway.port()}"
            models = set(WAYS.values())
            wait_until(lambda: models <= models_at(url), START_SECONDS, "both ways are offered")
            yield gateway.port(), [one.process.pid for one in (gateway, *nodes)]
        finally:
            stop_all([engine])


def _node(spawn: Spawn, control: str, engine: int, way: str, model: str) -> Service:
    service = {
        "service_id": "engine",
        "endpoint": f"http://127.0.0.1:{engine}",
        "assets": [{"asset_id": model, "loaded": True}],
    }
    relay = {"mode": "never" if way == "direct" else "always", "listen": "127.0.0.1:0"}
    settings = {"control": control, "node": {"host_id": way}, "services": [service]}
    return spawn("node", {**settings, "relay": relay})


def _added(
    what: str, direct: list[int], relayed: list[int], share: float, at_most: float | None = None
) -> Figure:
    added = quantile(relayed, share) - quantile(direct, share)
    name = f"added to {what}, p{share * 100:g}"
    return Figure(name, round(added / 1_000_000, 3), "ms", at_most=at_most, timed=True)
