"""What nodes send that they should not: one clear outcome each, and the next good call works.

PROMISES section 3, group P. Every row is sent to the same control, a real process.
"""

import math
import socket
import struct
import threading
from pathlib import Path

import grpc
import pytest
from geniehive.v1 import discovery_service_pb2 as discovery
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as pb

from control.api.errors import REASON_KEY
from tests.processes import spawning

DEADLINE_S = 20
REGISTRY = "/geniehive.v1.RegistryService/"
NODE = (("x-geniehive-node-key", "nk"),)
OPERATOR = (("authorization", "Bearer ok"),)
KEYS = {
    "node_api_keys": ["nk"],
    "gateway_api_keys": ["gk"],
    "operator_api_keys": ["ok"],
    "admin_api_keys": ["ak"],
}

OK = "OK", None
INVALID = "INVALID_ARGUMENT", "invalid_value"
LOST = "NOT_FOUND", "lease_lost"
LIMITED = "RESOURCE_EXHAUSTED", "rate_limited"
STRANGER = "UNAUTHENTICATED", "invalid_api_key"
TOO_LARGE = "RESOURCE_EXHAUSTED", None  # said by gRPC itself, before our code

ENDPOINT = inventory.Endpoint(
    scheme="http", address="127.0.0.1:8080", kind=inventory.ENDPOINT_KIND_DIRECT
)


def asset(asset_id="m"):
    return inventory.Asset(asset_id=asset_id, operations=[inventory.OPERATION_CHAT])


def service(service_id, assets=(), **fields):
    fields = {"endpoint": ENDPOINT, **fields}
    return inventory.Service(service_id=service_id, assets=assets or [asset()], **fields)


def registration(host_id="h1", services=None, instance_id="i", **host):
    return pb.RegisterHostRequest(
        host=inventory.Host(host_id=host_id, **host),
        instance_id=instance_id,
        services=[service(f"{host_id}/s")] if services is None else services,
    ).SerializeToString()


def described(**fields):
    """Return a registration whose asset is so described."""
    message = inventory.Asset(asset_id="m", operations=[inventory.OPERATION_CHAT], **fields)
    return registration(services=[service("h1/s", [message])])


def shaped(**fields):
    """Return a registration whose asset has such a request policy."""
    return described(request_policy=inventory.RequestPolicy(**fields))


def at(address="127.0.0.1:8080", **fields):
    """Return a registration whose service is at `address`."""
    fields = {"scheme": "http", "kind": inventory.ENDPOINT_KIND_DIRECT, **fields}
    endpoint = inventory.Endpoint(address=address, **fields)
    return registration(services=[service("h1/s", endpoint=endpoint)])


def heartbeat(lease, sequence=1, **fields):
    return pb.SendHeartbeatRequest(
        heartbeat=pb.Heartbeat(
            lease=lease,
            sequence=sequence,
            services=[pb.ServiceBeat(service_id=f"{lease.host_id}/s", **fields)],
        )
    ).SerializeToString()


def renamed(host_id):
    """Return a registration of a host whose id is any bytes."""
    raw = registration("PLACE")
    return raw.replace(b"\x0a\x07\x0a\x05PLACE", _field(1, _field(1, host_id)), 1)


def _field(number, content):
    return bytes([number << 3 | 2]) + _length(len(content)) + content


def _length(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


DEEP = b"\x0b" * 200 + b"\x0c" * 200  # groups within groups
UNKNOWN = b"\xfa\x3f\x03new"  # field 127, of a future version

# What is registered; the outcome.
REGISTRATIONS = {
    "P1 random bytes": (b"\xff" * 100, *INVALID),
    "P1 cut short": (registration()[:-3], *INVALID),
    "P1 a field of a newer node": (registration() + UNKNOWN, *OK),
    "P1 a field of another type": (b"\x08\x05" + registration(), *OK),
    "P1 nothing": (b"", *INVALID),
    "P2 5 MB": (b"\x0a" * 5_000_000, *TOO_LARGE),
    "P3 200 messages within each other": (registration() + DEEP, *INVALID),
    "P3 300,000 labels": (
        registration(labels={str(n): "" for n in range(300_000)}),
        *INVALID,
    ),
    "P4 not UTF-8": (renamed(b"h\xff\xfe"), *INVALID),
    "P5 negative resources": (
        registration(resources=inventory.HostResources(memory_bytes=-1)),
        *INVALID,
    ),
    "P5 2**63 threads": (
        registration(resources=inventory.HostResources(cpu_threads=-(2**31))),
        *INVALID,
    ),
    "P6 a time of its own": (
        registration(heartbeat_time={"seconds": 253_402_300_799}, generation=-7),
        *OK,
    ),
    "P7 no id": (registration(""), *INVALID),
    "P7 300 characters": (registration("h" * 300), *INVALID),
    "P7 a slash": (registration("a/b"), *INVALID),
    "P7 dots": (registration(".."), *INVALID),
    "P7 NUL": (registration("a\0b"), *INVALID),
    "P7 emoji": (registration("h\N{GRINNING FACE}"), *INVALID),
    "P7 a provider's": (registration("external-provider-x"), *INVALID),
    "P7 a service of another host": (registration(services=[service("h2/s")]), *INVALID),
    "P8 10,000 services": (
        registration(services=[service(f"h1/{n}") for n in range(10_000)]),
        *INVALID,
    ),
    "P8 100,000 assets": (
        registration(services=[service("h1/s", [asset(str(n)) for n in range(100_000)])]),
        *INVALID,
    ),
    "P9 metadata service": (at("169.254.169.254:80"), *INVALID),
    "P9 ... in hexadecimal": (at("0xA9FEA9FE:80"), *INVALID),
    "P9 ... in octal": (at("0251.0376.0251.0376:80"), *INVALID),
    "P9 ... as one number": (at("2852039166:80"), *INVALID),
    "P9 ... in IPv6": (at("[::ffff:a9fe:a9fe]:80"), *INVALID),
    "P9 ... by NAT64": (at("[64:ff9b::a9fe:a9fe]:80"), *INVALID),
    "P9 unspecified": (at("0.0.0.0:80"), *INVALID),
    "P9 multicast": (at("[ff02::1]:80"), *INVALID),
    "P9 user information": (at("gw@evil:80"), *INVALID),
    "P9 a path": (at("evil/x:80"), *INVALID),
    "P9 a backslash": (at("evil\\x:80"), *INVALID),
    "P9 a line break": (at("evil\r\nHost: x:80"), *INVALID),
    "P9 another scheme": (at(scheme="file"), *INVALID),
    "P9 a base path that climbs": (at(base_path="/../admin"), *INVALID),
    "P9 a kind of the future": (at(kind=99), *INVALID),
    "P12 a tier of 64 characters": (registration(trust_tier="x" * 64), *INVALID),
    "P8 65 workload classes": (registration(workload_classes=map(str, range(65))), *INVALID),
    "P7 a key of one's own choice": (registration(node_key_id="static:forged"), *OK),
    "P12 a label of 201 characters": (described(labels=["x" * 201]), *INVALID),
    "P8 100,000 metadata": (described(metadata={str(n): "" for n in range(100_000)}), *INVALID),
    "P1 a locator of nothing": (described(locator=inventory.AssetLocator()), *INVALID),
    "P1 a policy that is no JSON": (shaped(body_defaults="{"), *INVALID),
    "P9 a policy that says where to": (shaped(body_overrides='{"api_base": "x"}'), *INVALID),
    "P3 a policy within 9,999 others": (shaped(body_defaults="[" * 10_000), *INVALID),
    "P8 a policy of 3 MB": (shaped(system_prompt="x" * 3_000_000), *INVALID),
    "P1 an availability of a newer node": (
        registration(services=[service("h1/s", observation={"availability": 99})]),
        *OK,
    ),
    "P12 a tag is a name like any": (registration(display_name="<img onerror=x>"), *OK),
    "P12 a formula, too": (registration(display_name="=cmd()"), *OK),
    "P12 a control sequence": (registration(display_name="\x1b[2J"), *INVALID),
    "P12 text turned around": (registration(display_name="\u202egpj.exe"), *INVALID),
    "P12 1 MB": (registration(display_name="x" * 1_000_000), *INVALID),
}

# The metadata of a good registration; the outcome.
CALLERS = {
    "P13 no key": ((), *STRANGER),
    "P13 a wrong key": ((("x-geniehive-node-key", "no"),), *STRANGER),
    "P13 two keys": (NODE * 2, *STRANGER),
    "P13 a key of 10 kB": ((("x-geniehive-node-key", "k" * 10_000),), *STRANGER),
    "P13 a key of another kind": (OPERATOR, "PERMISSION_DENIED", "operation_not_allowed"),
    "P13 the right key": (NODE, *OK),
}

# What a node says of a service it registered, and what is kept of it.
OBSERVED = {
    "P5 NaN": {"tokens_per_second": math.nan},
    "P5 infinite": {"tokens_per_second": math.inf},
    "P5 negative": {"in_flight": -1, "queue_depth": -(2**31)},
    "P5 a negative time": {"latency_p50": {"seconds": -(2**63)}},
    "P5 a time without end": {"latency_p50": {"seconds": 2**63 - 1}},
}

# Which lease a beat carries, from the one that was granted; the outcome.
LEASES = {
    "P10 of nobody": (lambda lease: pb.Lease(host_id="h9", instance_id="i", generation=1), *LOST),
    "P10 empty": (lambda lease: pb.Lease(), *LOST),
    "P10 an old generation": (
        lambda lease: _changed(lease, generation=lease.generation - 1),
        *LOST,
    ),
    "P10 a generation to come": (
        lambda lease: _changed(lease, generation=lease.generation + 1),
        *LOST,
    ),
    "P10 of another instance": (lambda lease: _changed(lease, instance_id="j"), *LOST),
    "P10 its own": (lambda lease: lease, *OK),
}

# Rows that take longer than a suite may, by the fast test that shows the same.
ELSEWHERE = {
    "P14 a node that never reads": (
        "tests/unit/control/test_interceptors.py",
        "test_a_peer_that_never_reads_is_left_alone_and_told_so_if_it_ever_does",
    ),
    "P14 a gateway that never answers": (
        "tests/unit/control/test_routing.py",
        "test_a_watcher_that_answers_nothing_is_not_served_any_more",
    ),
    "P11 1,000 streams that say nothing": (
        "tests/unit/control/test_registry.py",
        "test_a_stream_that_never_says_whose_it_is_ends",
    ),
}
# Rows that need a later piece.
LATER = {
    "P15 a certificate of another host": "comes with the certificates of nodes",
    "P9 addresses outside of a node's own networks (T6)": "comes with policies per node",
}


def _changed(lease, **fields):
    other = pb.Lease()
    other.CopyFrom(lease)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


class Caller:
    """Sends bytes to control and returns the status and the reason of the answer."""

    def __init__(self, channel):
        self.channel = channel

    def send(self, method, raw, metadata=NODE):
        call = self.channel.unary_unary(f"{REGISTRY}{method}")
        try:
            answer = call(raw, metadata=metadata, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            return (error.code().name, dict(error.trailing_metadata() or ()).get(REASON_KEY)), None
        return OK, answer

    def register(self, host_id="good", **fields):
        outcome, raw = self.send("RegisterHost", registration(host_id, **fields))
        assert outcome == OK
        return pb.RegisterHostResponse.FromString(raw).lease

    def remove(self, lease):
        request = pb.DeregisterHostRequest(host_id=lease.host_id, lease=lease)
        return self.send("DeregisterHost", request.SerializeToString())[0]

    def observation(self, service_id):
        get = self.channel.unary_unary("/geniehive.v1.DiscoveryService/GetService")
        request = discovery.GetServiceRequest(service_id=service_id).SerializeToString()
        answer = get(request, metadata=OPERATOR, timeout=DEADLINE_S)
        return discovery.GetServiceResponse.FromString(answer).service.service.observation


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    folder = tmp_path_factory.mktemp("control")
    settings = {
        "listen": "127.0.0.1:0",
        "auth": KEYS,
        "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
    }
    with spawning(folder) as spawn:
        control = spawn("control", settings)
        yield control.port()
        assert "Traceback" not in control.logged()


@pytest.fixture
def caller(port):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        caller = Caller(channel)
        yield caller
        # Whatever was sent, a good node is served as ever.
        assert caller.remove(caller.register()) == OK


@pytest.mark.parametrize("name", REGISTRATIONS)
def test_a_registration(caller, name):
    raw, *outcome = REGISTRATIONS[name]
    answer, granted = caller.send("RegisterHost", raw)

    assert answer == tuple(outcome)
    if granted is not None:
        caller.remove(pb.RegisterHostResponse.FromString(granted).lease)


@pytest.mark.parametrize("name", CALLERS)
def test_a_caller(caller, name):
    metadata, *outcome = CALLERS[name]

    assert caller.send("RegisterHost", registration("guest"), metadata)[0] == tuple(outcome)


@pytest.mark.parametrize("name", OBSERVED)
def test_an_observed_value_is_dropped_and_the_beat_taken(caller, name):
    host_id = f"seen-{list(OBSERVED).index(name)}"
    lease = caller.register(host_id)
    seen = inventory.ServiceObservation(health=inventory.HEALTH_HEALTHY, **OBSERVED[name])

    assert caller.send("SendHeartbeat", heartbeat(lease, observation=seen))[0] == OK
    kept = inventory.ServiceObservation(
        health=inventory.HEALTH_HEALTHY, availability=inventory.AVAILABILITY_AVAILABLE
    )
    assert caller.observation(f"{host_id}/s") == kept
    caller.remove(lease)


@pytest.mark.parametrize("name", LEASES)
def test_a_lease(caller, name):
    presented, *outcome = LEASES[name]
    lease = caller.register("h4")

    assert caller.send("SendHeartbeat", heartbeat(presented(lease)))[0] == tuple(outcome)
    caller.remove(lease)


def test_p7_the_id_of_a_host_that_lives_is_refused(caller):
    lease = caller.register("h5")
    raw = registration("h5", instance_id="thief")

    assert caller.send("RegisterHost", raw)[0] == ("ALREADY_EXISTS", "host_id_in_use")
    caller.remove(lease)


def test_p10_a_beat_after_leaving_is_of_no_lease(caller):
    lease = caller.register("h6")
    assert caller.remove(lease) == OK

    assert caller.send("SendHeartbeat", heartbeat(lease))[0] == LOST


def test_p10_a_beat_that_repeats_or_is_older_changes_nothing(caller):
    lease = caller.register("h7")
    healthy = inventory.ServiceObservation(health=inventory.HEALTH_HEALTHY)
    caller.send("SendHeartbeat", heartbeat(lease, 5, observation=healthy))
    for sequence in (5, 4, 0, -1):
        assert caller.send("SendHeartbeat", heartbeat(lease, sequence))[0] == OK

    assert caller.observation("h7/s").health == inventory.HEALTH_HEALTHY
    caller.remove(lease)


def test_p1_random_bytes_end_a_stream_and_say_why(caller):
    stream = caller.channel.stream_stream(f"{REGISTRY}StreamHeartbeats")
    with pytest.raises(grpc.RpcError) as raised:
        list(stream(iter([b"\xff" * 50]), metadata=NODE, timeout=DEADLINE_S))

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_p11_1_000_beats_at_once_are_refused_after_some(caller):
    lease, other = caller.register("h8"), caller.register("h9")
    answers = [
        caller.send("SendHeartbeat", heartbeat(lease, sequence))[0] for sequence in range(1, 1_001)
    ]

    assert LIMITED in answers
    assert set(answers) == {OK, LIMITED}
    assert caller.send("SendHeartbeat", heartbeat(other))[0] == OK
    caller.remove(lease)
    caller.remove(other)


def test_p11_of_the_streams_of_one_node_all_but_four_are_refused(caller):
    lease = caller.register("h10")
    stream = caller.channel.stream_stream(f"{REGISTRY}StreamHeartbeats")
    end = threading.Event()
    # Both messages have the beat in their first field.
    calls = [
        stream(_open(heartbeat(lease, sequence), end), metadata=NODE, timeout=DEADLINE_S)
        for sequence in range(1, 101)
    ]
    outcomes = [_first(call) for call in calls]

    assert outcomes.count("OK") == 4
    assert outcomes.count("RESOURCE_EXHAUSTED") == 96
    end.set()
    for call in calls:
        call.cancel()
    caller.remove(lease)


def _open(message, end):
    """Send one message and keep the stream open until `end` is set."""
    yield message
    end.wait(DEADLINE_S)


def _first(call):
    try:
        next(call)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def test_p11_a_flood_of_pings_is_told_to_go_away(caller, port):
    """HTTP/2 by hand: a client of gRPC would keep its pings apart."""
    frame = struct.Struct("!HBBBI")
    ping = frame.pack(0, 8, 6, 0, 0) + b"\0" * 8
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as raw:
        raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame.pack(0, 0, 4, 0, 0))
        raw.sendall(ping * 1_000)
        told = b""
        try:
            while received := raw.recv(65_536):
                told += received
        except ConnectionResetError:
            pass  # what was still on its way to a closed connection

    assert b"too_many_pings" in told


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_row_that_is_shown_elsewhere_is(name):
    path, test = ELSEWHERE[name]

    assert f"def {test}(" in (Path(__file__).parents[3] / path).read_text()


def test_every_row_of_the_group_is_here_or_has_a_reason():
    tables = (REGISTRATIONS, CALLERS, OBSERVED, LEASES, ELSEWHERE, LATER)
    rows = {name.split()[0] for table in tables for name in table}

    assert rows == {f"P{number}" for number in range(1, 16)}
    assert all(LATER.values())
