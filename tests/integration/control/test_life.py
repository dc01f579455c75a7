"""Control as a process: killed, restarted, stopped, robbed of its disk."""

import re
import signal
import sqlite3
import time
from contextlib import contextmanager

import grpc
import pytest
from geniehive.v1 import (
    discovery_service_pb2 as discovery_pb,
)
from geniehive.v1 import (
    discovery_service_pb2_grpc,
    registry_service_pb2_grpc,
    routing_service_pb2_grpc,
)
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as registry_pb
from geniehive.v1 import routing_service_pb2 as routing_pb
from grpc_health.v1 import health_pb2, health_pb2_grpc

from control.api.channel import control_errors, sync_channel
from control.api.errors import (
    Forbidden,
    InvalidValue,
    LeaseLost,
    NoHealthyRoute,
    Unauthenticated,
    Unavailable,
)
from tests.processes import wait_until

HEALTHY = inventory.ServiceObservation(health=inventory.HEALTH_HEALTHY)
SERVICE = inventory.Service(
    service_id="h1/s",
    endpoint=inventory.Endpoint(
        scheme="http", address="127.0.0.1:8080", kind=inventory.ENDPOINT_KIND_DIRECT
    ),
    assets=[inventory.Asset(asset_id="m", operations=[inventory.OPERATION_CHAT])],
    observation=HEALTHY,
)
REGISTRATION = registry_pb.RegisterHostRequest(
    host=inventory.Host(host_id="h1"), instance_id="i", services=[SERVICE]
)
DEADLINE_S = 10
PATIENCE_S = 30  # for what takes some seconds of its own


class Client:
    """Calls control with a deadline, and raises its errors."""

    def __init__(self, channel, metadata=()):
        self.metadata = metadata
        self._registry = registry_service_pb2_grpc.RegistryServiceStub(channel)
        self._discovery = discovery_service_pb2_grpc.DiscoveryServiceStub(channel)
        self._routing = routing_service_pb2_grpc.RoutingServiceStub(channel)

    def _call(self, method, request):
        with control_errors():
            return method(request, timeout=DEADLINE_S, metadata=self.metadata)

    def register(self, request=REGISTRATION):
        return self._call(self._registry.RegisterHost, request).lease

    def beat(self, lease, sequence):
        heartbeat = registry_pb.Heartbeat(
            lease=lease,
            sequence=sequence,
            services=[registry_pb.ServiceBeat(service_id="h1/s", observation=HEALTHY)],
        )
        request = registry_pb.SendHeartbeatRequest(heartbeat=heartbeat)
        return self._call(self._registry.SendHeartbeat, request)

    def host(self, host_id="h1"):
        request = discovery_pb.GetHostRequest(host_id=host_id)
        return self._call(self._discovery.GetHost, request).host

    def health(self):
        request = discovery_pb.GetClusterHealthRequest()
        return self._call(self._discovery.GetClusterHealth, request)

    def resolve(self, model="m"):
        request = routing_pb.ResolveRouteRequest(model=model)
        return self._call(self._routing.ResolveRoute, request)

    def snapshot(self):
        """Return the first update of a new watcher."""
        hello = routing_pb.WatchRoutesRequest(watch=routing_pb.Watch(gateway_id="g"))
        call = self._routing.WatchRoutes(iter([hello]), timeout=DEADLINE_S, metadata=self.metadata)
        with control_errors():
            return next(call).update


@contextmanager
def connected(control, metadata=()):
    with sync_channel(f"127.0.0.1:{control.port()}") as channel:
        yield Client(channel, metadata)


@pytest.fixture
def settings(tmp_path):
    return {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(tmp_path / "geniehive.sqlite3")},
        "registry": {"heartbeat_interval_s": 1.0, "grace_s": 2.0},
    }


def test_what_was_acknowledged_survives_a_crash_and_is_expected_back(spawn, settings):
    settings["registry"]["grace_s"] = 60.0
    first = spawn("control", settings)
    with connected(first) as client:
        lease = client.register()
        before = client.snapshot()
    first.kill()
    with connected(spawn("control", settings)) as client:
        assert client.host().state == inventory.HOST_STATE_RETURNING
        after = client.snapshot()
        assert after.identity.store_id == before.identity.store_id
        assert after.identity.incarnation != before.identity.incarnation
        assert after.snapshot
        assert not after.settled
        # A gateway that still reaches the service is told nothing that would take it away.
        assert [one.name for one in after.upserts] == ["room"]
        with pytest.raises(NoHealthyRoute):
            client.resolve()
        with pytest.raises(LeaseLost):
            client.beat(lease, 2)

        assert client.register().generation == 2
        assert client.host().state == inventory.HOST_STATE_ONLINE
        wait_until(lambda: client.health().routable_service_count, PATIENCE_S, "routed to again")
        assert client.resolve().candidates[0].candidate.service_id == "h1/s"
        wait_until(lambda: client.health().settled, PATIENCE_S, "settled, since everybody is back")


def test_a_host_that_does_not_come_back_is_lost_after_the_grace_period(spawn, settings):
    settings["registry"]["grace_s"] = 1.0
    first = spawn("control", settings)
    with connected(first) as client:
        client.register()
    first.kill()
    with connected(spawn("control", settings)) as client:
        wait_until(
            lambda: client.health().settled, PATIENCE_S, "settled, since the grace period is over"
        )

        assert client.host().state == inventory.HOST_STATE_LOST
        assert not client.snapshot().upserts[0].target.candidates


def test_an_empty_store_makes_another_store_that_is_settled_late(spawn, settings, tmp_path):
    with connected(spawn("control", settings)) as client:
        before = client.snapshot()
    settings["storage"] = {"sqlite_path": str(tmp_path / "empty.sqlite3")}
    with connected(spawn("control", settings)) as client:
        client.register()
        after = client.snapshot()

        assert after.identity.store_id != before.identity.store_id
        assert not client.health().settled
        wait_until(
            lambda: client.health().settled, PATIENCE_S, "settled, since the grace period is over"
        )


def test_stopping_ends_streams_with_unavailable_and_exits_0(spawn, settings):
    control = spawn("control", settings)
    with sync_channel(f"127.0.0.1:{control.port()}") as channel:
        lease = Client(channel).register()
        routing = routing_service_pb2_grpc.RoutingServiceStub(channel)
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(health).status == health_pb2.HealthCheckResponse.SERVING
        watch = routing.WatchRoutes(_never_ending(_hello()))
        next(watch)
        registry = registry_service_pb2_grpc.RegistryServiceStub(channel)
        beat = registry_pb.Heartbeat(lease=lease, sequence=1)
        beats = registry.StreamHeartbeats(
            _never_ending(registry_pb.StreamHeartbeatsRequest(heartbeat=beat))
        )
        next(beats)
        started = time.monotonic()
        control.stop()  # asserts exit code 0
        took = time.monotonic() - started
        for stream in (watch, beats):
            with pytest.raises(Unavailable, match="control is stopping"), control_errors():
                for _ in stream:
                    pass
        statuses = []
        with pytest.raises(grpc.RpcError):
            statuses.extend(one.status for one in health)

    assert took < 5


def test_a_locked_database_stops_no_heartbeat_and_no_registration(spawn, settings):
    control = spawn("control", settings)
    with connected(control) as client:
        lease = client.register()
        other = sqlite3.connect(settings["storage"]["sqlite_path"])
        other.execute("BEGIN IMMEDIATE")
        longest = 0.0
        for sequence in range(1, 31):
            started = time.monotonic()
            client.beat(lease, sequence)
            longest = max(longest, time.monotonic() - started)
            time.sleep(0.05)  # beats go on while the lock is held
        again = client.register()  # takes over; waits a moment for the disk, then goes on
        assert client.host().state == inventory.HOST_STATE_ONLINE
        other.rollback()
        other.close()

        assert longest < 2.5  # 0.5 ms here; a beat that waits for the disk takes 5 s
        assert again.generation == 2
    # Stopping writes what the disk did not take before.
    control.stop()
    stored = sqlite3.connect(settings["storage"]["sqlite_path"])
    assert stored.execute("SELECT host_id, generation FROM hosts").fetchall() == [("h1", 2)]
    stored.close()


def test_a_locked_database_does_not_keep_it_from_stopping(spawn, settings):
    control = spawn("control", settings)
    with connected(control) as client:
        lease = client.register()
        other = sqlite3.connect(settings["storage"]["sqlite_path"])
        other.execute("BEGIN IMMEDIATE")
        client.beat(lease, 1)
        client.register()
        started = time.monotonic()
        control.stop()
        took = time.monotonic() - started
        other.close()

    assert took < 10


def test_no_host_is_lost_because_control_stood_still(spawn, settings):
    settings["registry"] = {"heartbeat_interval_s": 0.6, "lease_intervals": 3}
    control = spawn("control", settings)
    with connected(control) as client:
        lease = client.register()
        client.beat(lease, 1)
        control.process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)  # longer than the lease of 1.8 s
        control.process.send_signal(signal.SIGCONT)
        client.beat(lease, 2)

        assert client.host().state == inventory.HOST_STATE_ONLINE
        assert client.host().generation == 1
    assert "host h1 is lost" not in control.logged()


AUTH = {"node_api_keys": ["nk"], "gateway_api_keys": ["gk"], "client_api_keys": ["ck"]}
NODE = (("x-geniehive-node-key", "nk"),)
GATEWAY = (("x-geniehive-gateway-key", "gk"),)


def test_every_kind_of_caller_needs_its_key(spawn, settings):
    control = spawn("control", {**settings, "auth": {**AUTH, "operator_api_keys": ["ok"]}})
    with connected(control) as nobody:
        with pytest.raises(Unauthenticated):
            nobody.register()
        with pytest.raises(Unauthenticated):
            nobody.snapshot()
        with pytest.raises(Unauthenticated):
            nobody.health()
    with connected(control, NODE) as node:
        node.register()
        with pytest.raises(Forbidden):
            node.snapshot()
    with connected(control, GATEWAY) as gateway:
        gateway.snapshot()
        with pytest.raises(Forbidden):
            gateway.register()
    with connected(control, (("authorization", "Bearer ok"),)) as operator:
        assert operator.health().host_count == 1
    for key in ("nk", "gk", "ck", "ok"):
        assert f"{key}'" not in control.logged()


def test_bad_registrations_leave_control_as_it_was(spawn, settings):
    with connected(spawn("control", settings)) as client:
        for service_id in ("", "h2/s", "h1/", "h1/\n"):
            bad = registry_pb.RegisterHostRequest()
            bad.CopyFrom(REGISTRATION)
            bad.services[0].service_id = service_id
            with pytest.raises(InvalidValue):
                client.register(bad)

        assert client.health().host_count == 0
        client.register()


def _hello():
    return routing_pb.WatchRoutesRequest(watch=routing_pb.Watch(gateway_id="g"))


VITALS = re.compile(r"hosts (\d+), .* heartbeats (\d+), .* transactions (\d+), ")


def test_sigusr1_logs_what_control_did_and_time_alone_costs_one_transaction_a_second(
    spawn, settings
):
    control = spawn("control", settings)
    with connected(control) as client:
        lease = client.register()
        for sequence in range(1, 41):
            client.beat(lease, sequence)
        control.process.send_signal(signal.SIGUSR1)
        hosts, beats, transactions = map(int, control.wait_for_log(VITALS).groups())
        seconds = client.health().uptime.ToSeconds()

    assert (hosts, beats) == (1, 40)
    # The registration, and what is written each second of when hosts were heard.
    assert 1 <= transactions <= 2 + seconds + 1


def _never_ending(message):
    """Send one message and keep the stream open until the call ends."""
    yield message
    while True:
        time.sleep(0.05)
