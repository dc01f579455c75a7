"""Questions about routes that nobody should ask: one clear outcome each, and the next works."""

import grpc
import pytest
from geniehive.v1 import routing_service_pb2 as pb

from control.api.errors import REASON_KEY
from tests.processes import spawning

DEADLINE_S = 20
ROUTING = "/geniehive.v1.RoutingService/"
OPERATOR = (("authorization", "Bearer ok"),)
NODE = (("x-geniehive-node-key", "nk"),)
GATEWAY = (("x-geniehive-gateway-key", "gk"),)

OK = "OK", None
INVALID = "INVALID_ARGUMENT", "invalid_value"
UNKNOWN = "NOT_FOUND", "model_not_found"
TOO_LARGE = "RESOURCE_EXHAUSTED", None  # said by gRPC itself, before our code
UNKNOWN_FIELD = b"\xfa\x3f\x03new"  # field 127, of a future version


def resolve(model="m", **fields):
    return pb.ResolveRouteRequest(model=model, **fields).SerializeToString()


def match(**fields):
    return pb.MatchRoutesRequest(**fields).SerializeToString()


# What is asked; the outcome.
RESOLVED = {
    "random bytes": (b"\xff" * 100, *INVALID),
    "nothing": (b"", *INVALID),
    "a name that is not UTF-8": (b"\x0a\x02\xff\xfe", *INVALID),
    "a name of 1 MB": (resolve("x" * 1_000_000), *INVALID),
    "a name of 5 MB": (resolve("x" * 5_000_000), *TOO_LARGE),
    "an operation of the future": (resolve(operation=99), *INVALID),
    "a negative operation": (resolve(operation=-1), *INVALID),
    "a name of control characters": (resolve("\x00\x1b[2J\u202e"), *UNKNOWN),
    "a path": (resolve("../../etc/passwd"), *UNKNOWN),
    "an asset without a name": (resolve("asset/"), *UNKNOWN),
    "an asset of an asset": (resolve("asset/asset/m", explain=True), *UNKNOWN),
    "a field of a newer caller": (resolve() + UNKNOWN_FIELD, *UNKNOWN),
}
MATCHED = {
    "random bytes": (b"\xff" * 100, *INVALID),
    "nothing": (b"", *OK),
    "limit 0": (match(limit=0), *INVALID),
    "limit -1": (match(limit=-1), *INVALID),
    "limit 10**9": (match(limit=10**9), *OK),
    "a task of 1 MB": (match(task="x" * 1_000_000), *INVALID),
    "a task of 1 MB in 100 parts": (match(tasks=["x" * 10_000] * 100), *INVALID),
    "a task of 5 MB": (match(task="x" * 5_000_000), *TOO_LARGE),
    "a workload of 1 MB": (match(workload="x" * 1_000_000), *INVALID),
    "a modality of 1 MB": (match(modality="x" * 1_000_000), *INVALID),
    "1,000 tasks": (match(tasks=["x"] * 1_000), *INVALID),
    "300,000 blank workloads": (match(workloads=[""] * 300_000), *INVALID),
    "100,000 characters of words": (match(task="ab " * 33_333), *OK),
    "control characters": (match(task="\x00\x1b[2J\u202e", workload="\n"), *OK),
    "an operation of the future": (match(operation=99), *INVALID),
    "a task that is not UTF-8": (b"\x0a\x02\xff\xfe", *INVALID),
    "a field of a newer caller": (match() + UNKNOWN_FIELD, *OK),
}
CALLERS = {
    "an operator": (OPERATOR, *OK),
    "a gateway": (GATEWAY, *OK),
    "a node": (NODE, "PERMISSION_DENIED", "operation_not_allowed"),
    "nobody": ((), "UNAUTHENTICATED", "invalid_api_key"),
}


class Caller:
    """Asks control and returns the status and the reason of the answer."""

    def __init__(self, channel):
        self.channel = channel

    def ask(self, method, raw, metadata=OPERATOR):
        call = self.channel.unary_unary(f"{ROUTING}{method}")
        try:
            call(raw, metadata=metadata, timeout=DEADLINE_S)
        except grpc.RpcError as caught:
            error = caught
        else:
            return OK
        assert error.details().isprintable()
        assert len(error.details()) < 1_000
        return error.code().name, dict(error.trailing_metadata() or ()).get(REASON_KEY)


@pytest.fixture(scope="module")
def caller(tmp_path_factory):
    folder = tmp_path_factory.mktemp("control")
    settings = {
        "listen": "127.0.0.1:0",
        "auth": {
            "node_api_keys": ["nk"],
            "gateway_api_keys": ["gk"],
            "operator_api_keys": ["ok"],
            "admin_api_keys": ["ak"],
        },
        "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
        "registry": {"grace_s": 0},  # nobody has to come back: unknown names are unknown
    }
    with spawning(folder) as spawn:
        control = spawn("control", settings)
        with grpc.insecure_channel(f"127.0.0.1:{control.port()}") as channel:
            yield Caller(channel)
        assert "Traceback" not in control.logged()


@pytest.mark.parametrize("name", RESOLVED)
def test_a_name(caller, name):
    raw, *outcome = RESOLVED[name]

    assert caller.ask("ResolveRoute", raw) == tuple(outcome)
    assert caller.ask("MatchRoutes", b"") == OK


@pytest.mark.parametrize("name", MATCHED)
def test_a_task(caller, name):
    raw, *outcome = MATCHED[name]

    assert caller.ask("MatchRoutes", raw) == tuple(outcome)
    assert caller.ask("MatchRoutes", b"") == OK


@pytest.mark.parametrize("name", CALLERS)
def test_who_asks(caller, name):
    metadata, *outcome = CALLERS[name]

    assert caller.ask("MatchRoutes", b"", metadata) == tuple(outcome)
