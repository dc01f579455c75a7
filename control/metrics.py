"""The metrics of control: what each is called and means, and what it is now."""

import asyncio
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterator

from prometheus_client import Metric

from control.api.families import Counter, Gauge, Histogram, rendered
from control.api.loop_lag import LoopLag
from control.cluster import Cluster
from control.inventory import Health, HostState
from control.live import Loads
from control.pacing import Looks, Rest
from control.rpc_counts import RpcCounts
from control.store.database import Writer
from control.table.watch import Hub

HOSTS = Gauge("geniehive_control_hosts", "Hosts by state: online, returning or lost.", ("state",))
SERVICES = Gauge(
    "geniehive_control_services",
    "Services by health, of nodes and probes together: healthy, loading, unhealthy or unknown.",
    ("health",),
)
SPARED = Gauge(
    "geniehive_control_spared_hosts",
    "Hosts that are silent and not lost, because so many are that control may be cut off itself.",
)
HELD_BACK = Gauge(
    "geniehive_control_held_back", "Hosts and services that come and go too often to be relied on."
)
HEARTBEATS = Counter("geniehive_control_heartbeats", "Heartbeats that were taken.")
DROPPED = Counter(
    "geniehive_control_dropped_values", "Observed values of nodes that could not be used."
)
PROBES = Counter(
    "geniehive_control_probes",
    "Probes by what they found: healthy, loading, unhealthy or unknown.",
    ("health",),
)
SAMPLES = Gauge("geniehive_control_benchmark_samples", "Results of benchmarks that are held.")
IN_FLIGHT = Gauge(
    "geniehive_control_in_flight_requests", "Requests in flight, as all gateways tell."
)
WAITING = Gauge(
    "geniehive_control_waiting_requests",
    "Requests that wait in gateways for a free service, as all of them tell.",
)
VERSION = Gauge("geniehive_control_route_version", "Version of the routes in this life of control.")
SETTLED = Gauge(
    "geniehive_control_settled",
    "1 when what is not registered is gone, 0 while hosts of the last life may come back.",
)
WATCHERS = Gauge("geniehive_control_watchers", "Streams of gateways that follow the routes.")
RPCS = Counter(
    "geniehive_control_rpcs",
    "Calls that ended, by method and by ok, cancelled, aborted or the code of an error.",
    ("method", "code"),
)
RPC_DURATION = Histogram(
    "geniehive_control_rpc_duration_seconds",
    "How long calls took; streams are not in it.",
    ("method",),
    first=0.001,
    last=16.384,
)
TRANSACTIONS = Counter(
    "geniehive_control_store_transactions", "Transactions that the database took."
)
FAILURES = Counter(
    "geniehive_control_store_failures", "Transactions that the database did not take."
)
LAG = Gauge(
    "geniehive_control_event_loop_lag_seconds",
    "How late the event loop woke, 99th percentile of a minute.",
)

# In the order in which they are told.
ALL = (
    *(HOSTS, SERVICES, SPARED, HELD_BACK, HEARTBEATS, DROPPED, PROBES, SAMPLES, IN_FLIGHT),
    *(WAITING, VERSION, SETTLED, WATCHERS, RPCS, RPC_DURATION, TRANSACTIONS, FAILURES, LAG),
)


class Metrics:
    """Reads everybody's counts. sample_count: of benchmarks."""

    def __init__(
        self,
        cluster: Cluster,
        routes: Hub,
        loads: Loads,
        writer: Writer,
        rpcs: RpcCounts,
        sample_count: Callable[[], int],
    ) -> None:
        self._cluster = cluster
        self._routes = routes
        self._loads = loads
        self._writer = writer
        self._rpcs = rpcs
        self._sample_count = sample_count
        self._looks = Looks()
        self.lag = LoopLag(time.monotonic)

    async def text(self) -> bytes:
        """Return the metrics for a scraper.

        Raises:
            RateLimited: too many others ask at the same time.
        """
        async with self._looks.turn() as rest:
            hosts, services = await self._counted(rest)
        # Whole before the thread begins: what it writes must not change meanwhile.
        families = list(self._families(hosts, services))
        return await asyncio.to_thread(rendered, families)

    async def _counted(self, rest: Rest) -> tuple[Counts[HostState], Counts[Health]]:
        """Return the hosts by state and the services by health. rest: lets others run."""
        membership = self._cluster.membership
        hosts: Counts[HostState] = Counts()
        services: Counts[Health] = Counts()
        for member in list(membership.members.values()):
            hosts[member.state] += 1
            services.update(map(membership.health, member.offers.values()))
            await rest()
        return hosts, services

    def _families(self, hosts: Counts[HostState], services: Counts[Health]) -> Iterator[Metric]:
        membership = self._cluster.membership
        yield HOSTS.of({(state,): hosts[state] for state in HostState})
        yield SERVICES.of({(health,): services[health] for health in Health})
        yield SPARED.of({(): self._cluster.spared})
        yield HELD_BACK.of({(): len(membership.flaps)})
        yield HEARTBEATS.of({(): membership.beats})
        yield DROPPED.of({(): membership.dropped_values})
        yield PROBES.of({(health,): self._cluster.probes[health] for health in Health})
        yield SAMPLES.of({(): self._sample_count()})
        yield IN_FLIGHT.of({(): self._loads.in_flight})
        yield WAITING.of({(): self._loads.waiting.total})
        yield VERSION.of({(): self._routes.identity.version})
        yield SETTLED.of({(): self._routes.settled})
        yield WATCHERS.of({(): len(self._routes.watchers)})
        yield RPCS.of({(method, code): n for (method, code), n in self._rpcs.ended.items()})
        yield RPC_DURATION.of({(method,): took for method, took in self._rpcs.durations.items()})
        yield TRANSACTIONS.of({(): self._writer.transactions})
        yield FAILURES.of({(): self._writer.failures})
        yield LAG.of({(): self.lag.quantile(0.99)})
