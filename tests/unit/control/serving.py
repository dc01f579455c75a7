"""A control in this process, on a port of the kernel's choice, with a clock that a test moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from geniehive.v1 import (
    admin_service_pb2_grpc,
    benchmark_service_pb2_grpc,
    discovery_service_pb2_grpc,
    registry_service_pb2_grpc,
    routing_service_pb2_grpc,
    usage_service_pb2_grpc,
)

from control.admin import AdminServicer
from control.benchmarks.keeping import SampleKeeping
from control.benchmarks.records import TrackRecords
from control.benchmarks.service import BenchmarkServicer
from control.cluster import Cluster
from control.condition import Condition
from control.discovery import DiscoveryServicer
from control.draining import Draining
from control.evidence import Evidence
from control.interceptors import Edge
from control.keeper import Keeper
from control.live import Loads
from control.lookout import Lookout
from control.measurements import Measurements
from control.membership import Membership
from control.overview import Overview
from control.pace import Rhythm
from control.principals import Doorkeeper
from control.publisher import Publisher
from control.registry import RegistryServicer
from control.routing import RoutingServicer
from control.rules.reloading import Status
from control.scopes import GRANTS
from control.server import build
from control.table.compile import Compiler
from control.table.keys import static_keys
from control.table.watch import Hub
from control.usage import UsageServicer
from tests.unit.control.clock import Clock

SECRET = b"s" * 32


class NoDisk(Keeper):
    """Keeps nothing, at once."""

    def note(self, host_ids):
        pass

    async def kept(self):
        return True


class NoWriter:
    """Takes every batch, at once."""

    async def run(self, fn, *args):
        return True


class Control:
    """All parts of control, and stubs to call it by."""

    def __init__(self, keys, client_keys, writer):
        self.clock = Clock()
        self.membership = Membership(Rhythm(interval=1.0), jitter=lambda: 0.0)
        compiler = self.compiler = Compiler()
        self.routes = Hub("store", "life", settled=False)
        self.keys = Hub("store", "life", settled=True)
        self.keys.publish(static_keys(client_keys, SECRET), settled=True)
        self.records = TrackRecords(lambda: self.clock.wall_time(self.clock()))
        evidence = Evidence(records=self.records)
        publisher = self.publisher = Publisher(
            self.membership, compiler, self.routes, self.clock, evidence.subject
        )
        keeper = NoDisk(self.membership, None, self.clock.wall_time)
        self.loads = Loads()
        self.cluster = Cluster(
            self.membership,
            keeper,
            publisher,
            self.clock,
            grace=30.0,
            evidence=evidence,
            in_flight=self.loads.left,
        )
        lookout = Lookout(self.membership, compiler, self.routes, self.loads, evidence.subject)
        self.measurements = Measurements(
            writer, lambda: self.clock.wall_time(self.clock()), {}, self.cluster.measured
        )
        overview = Overview(
            self.membership,
            compiler,
            self.loads,
            self.measurements,
            evidence.signals,
            self.clock,
        )
        self.status = Status()  # of the catalog
        condition = Condition(
            self.cluster,
            publisher,
            self.routes,
            self.loads,
            rules=lambda: self.status,
            sample_count=lambda: len(self.records),
            now=self.clock,
            version="1.2.3",
        )
        wall_time = self.clock.wall_time
        draining = Draining(self.cluster, writer, overview.called, lambda: wall_time(self.clock()))
        self.keeping = SampleKeeping(writer, self.records, self.membership.service)
        self.edge = Edge(Doorkeeper(keys, frozenset(GRANTS).difference(keys), SECRET))
        self.server, self.port = build(
            self.edge,
            RegistryServicer(self.cluster),
            DiscoveryServicer(overview, condition, self.clock, self.clock.wall_time),
            RoutingServicer(self.membership, lookout, self.routes, self.keys, self.loads),
            BenchmarkServicer(
                self.keeping,
                self.records,
                self.membership.service,
                lambda: self.clock.wall_time(self.clock()),
            ),
            UsageServicer(self.measurements),
            AdminServicer(draining, self.loads.total_of),
            lambda server: server.add_insecure_port("127.0.0.1:0"),
        )
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}")
        self.registry = registry_service_pb2_grpc.RegistryServiceStub(self.channel)
        self.discovery = discovery_service_pb2_grpc.DiscoveryServiceStub(self.channel)
        self.routing = routing_service_pb2_grpc.RoutingServiceStub(self.channel)
        self.benchmarks = benchmark_service_pb2_grpc.BenchmarkServiceStub(self.channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(self.channel)
        self.usage = usage_service_pb2_grpc.UsageServiceStub(self.channel)


async def until(fact):
    """Wait for something that control does by itself."""
    async with asyncio.timeout(30):
        while not fact():  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0.005)


@asynccontextmanager
async def serving(keys=None, client_keys=(), writer=None) -> AsyncIterator[Control]:
    """Run a control whose callers need `keys`, lists by kind. writer: of a store, if any."""
    control = Control(keys or {}, client_keys, writer or NoWriter())
    await control.server.start()
    try:
        yield control
    finally:
        await control.channel.close()
        await control.server.server.stop(None)
