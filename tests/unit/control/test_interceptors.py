"""The edge, on a real server with handlers of all four kinds that misbehave on purpose."""

import asyncio
import logging
from types import SimpleNamespace

import grpc
import pytest
from geniehive.v1 import discovery_service_pb2 as pb

from control.api import logs
from control.api.channel import MAX_RECEIVE_BYTES, SERVER_OPTIONS, control_errors
from control.api.errors import (
    REASON_KEY,
    BadRequest,
    Forbidden,
    GenieHiveError,
    ModelNotFound,
    PeerTooSlow,
    Unauthenticated,
    Unavailable,
    family,
)
from control.interceptors import MAX_MESSAGE, Edge
from control.principals import Doorkeeper, caller
from control.scopes import SCOPES, Scope
from tests.unit.control.serving import until

pytestmark = pytest.mark.anyio

KINDS = ["unary_unary", "unary_stream", "stream_unary", "stream_stream", "writer"]
KEYS = {"node": ["nk"], "gateway": ["gk"], "operator": ["ok"], "admin": ["ak"]}
OPERATOR = (("authorization", "Bearer ok"),)

Request, Response = pb.GetHostRequest, pb.GetHostResponse


class Handlers(grpc.GenericRpcHandler):
    """One method of each kind; each answers by calling `act` with what it was asked."""

    def __init__(self, act):
        self.act = act

    def service(self, details):
        method = details.method.rpartition("/")[2]
        if method not in KINDS:
            return None
        make = getattr(
            grpc, f"{'unary_stream' if method == 'writer' else method}_rpc_method_handler"
        )
        return make(getattr(self, method), Request.FromString, Response.SerializeToString)

    async def unary_unary(self, request, context):
        return await self.act(request)

    async def stream_unary(self, requests, context):
        async for request in requests:
            answer = await self.act(request)
        return answer

    async def unary_stream(self, request, context):
        yield await self.act(request)

    async def stream_stream(self, requests, context):
        async for request in requests:
            yield await self.act(request)

    async def writer(self, request, context):
        await context.write(await self.act(request))


@pytest.fixture(autouse=True)
def scopes(monkeypatch):
    for kind in KINDS:
        monkeypatch.setitem(SCOPES, f"/test/{kind}", Scope.READ)


@pytest.fixture
async def call(one_loop):
    """Yield `call(kind, act)`, which serves `act` and asks it once."""
    started = []

    async def call(kind, act, request=b"", metadata=OPERATOR):
        edge = Edge(Doorkeeper(KEYS, frozenset(), b"secret"))
        server = grpc.aio.server(interceptors=[edge], options=SERVER_OPTIONS)
        server.add_generic_rpc_handlers((Handlers(act),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        started.extend([channel.close(), server.stop(None)])
        answer = invoke(channel, kind, request, metadata)
        return edge, answer

    yield call
    for closing in started:
        await closing


async def invoke(channel, kind, request, metadata):
    """Call a method with a raw request and return its first answer.

    request: None opens a stream and sends nothing; a write to a stream that is refused at the
    same time fails with whatever gRPC's client notices first.
    """
    make = getattr(channel, "unary_stream" if kind == "writer" else kind)
    sent = request or b""
    if kind.startswith("stream"):
        sent = None if request is None else [request]
    with control_errors():
        answer = make(f"/test/{kind}", None, Response.FromString)(sent, metadata=metadata)
        if kind.endswith("unary"):
            return await answer
        (message,) = [message async for message in answer]
        return message


async def answered(call, kind, act, **options):
    _, answer = await call(kind, act, **options)
    return await answer


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_arrives(call, kind):
    async def act(request):
        assert request.host_id == "h1"
        return Response()

    request = Request(host_id="h1").SerializeToString()
    assert await answered(call, kind, act, request=request) == Response()


@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_arrives_as_the_same_class_with_its_message(call, kind):
    async def act(request):
        raise ModelNotFound("no model 'x'")

    with pytest.raises(ModelNotFound, match="no model 'x'"):
        await answered(call, kind, act)


@pytest.mark.parametrize("message", ["x" * 20_000, "\u6a21" * 20_000, "\n\x00" * 10_000])
async def test_an_error_with_a_long_message_arrives_as_it_is_but_shorter(call, message):
    """Trailers have a limit, beyond which another error would arrive."""

    async def act(request):
        raise ModelNotFound(message)

    with pytest.raises(ModelNotFound) as raised:
        await answered(call, "unary_unary", act)
    assert message.startswith(str(raised.value))
    assert len(str(raised.value).encode()) > MAX_MESSAGE - 4


# A service may refine an error for itself, such as the gateway's `Unreachable`; that never
# crosses gRPC, and is in the family only when its module happens to be imported.
SHARED = [error for error in family() if error.__module__ == GenieHiveError.__module__]


@pytest.mark.parametrize("error", SHARED, ids=lambda e: e.__name__)
async def test_every_error_has_its_status_and_reason(call, error):
    async def act(request):
        raise error("what happened")

    _, answer = await call("unary_unary", act)
    with pytest.raises(error) as raised:
        await answer

    status = raised.value.__cause__
    assert status.code() == error.grpc
    assert status.details() == "what happened"
    assert (REASON_KEY, error.code) in tuple(status.trailing_metadata())


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unexpected_error_tells_nothing_and_is_logged_once(call, kind, caplog):
    async def act(request):
        raise RuntimeError("password is hunter2")

    _, answer = await call(kind, act)
    with pytest.raises(Exception, match="internal error") as raised:
        await answer

    assert raised.value.__cause__.code() == grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(raised.value)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].exc_info is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("garbage", [b"\xff" * 20, b"\x0a\x02\xff\xfe"], ids=["bytes", "utf-8"])
async def test_a_request_that_is_no_message_is_the_callers_fault(call, kind, garbage):
    async def act(request):
        raise AssertionError("it was not decoded")

    with pytest.raises(BadRequest, match="not a message"):
        await answered(call, kind, act, request=garbage)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_handler_knows_its_caller(call, kind):
    seen = []

    async def act(request):
        seen.append(caller.get())
        return Response()

    await answered(call, kind, act)
    assert [one.kind for one in seen] == ["operator"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ((), Unauthenticated),
        ((("authorization", "Bearer no"),), Unauthenticated),
        ((("x-geniehive-node-key", "nk"),), Forbidden),
        ((("authorization", "Bearer ok"), ("authorization", "Bearer ok")), Unauthenticated),
        ((("authorization", "Bearer " + "x" * 10_240),), Unauthenticated),
    ],
    ids=["missing", "wrong", "other-kind", "repeated", "10-kb"],
)
async def test_whoever_may_not_call_does_not_reach_the_handler(call, kind, metadata, error):
    async def act(request):
        raise AssertionError("the handler ran")

    with pytest.raises(error):
        await answered(call, kind, act, request=None, metadata=metadata)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_method_without_a_scope_is_refused_to_everybody(call, kind, monkeypatch):
    monkeypatch.delitem(SCOPES, f"/test/{kind}")

    async def act(request):
        raise AssertionError("the handler ran")

    with pytest.raises(Forbidden, match="by nobody"):
        await answered(call, kind, act, request=None)


async def test_a_method_that_does_not_exist_is_unimplemented(control):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await control.channel.unary_unary("/geniehive.v1.RegistryService/Explode")(b"")

    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("kind", ["unary_stream", "stream_unary", "stream_stream", "writer"])
async def test_a_stream_ends_with_unavailable_when_control_stops(call, kind):
    entered = asyncio.Event()

    async def act(request):
        entered.set()
        await asyncio.Event().wait()

    edge, answer = await call(kind, act)
    waiting = asyncio.ensure_future(answer)
    await entered.wait()
    await edge.end_streams(1.0)

    with pytest.raises(Unavailable, match="control is stopping"):
        await waiting


class SlowContext:
    """The context of a call whose peer reads when it is let to; keeps what it was told."""

    def __init__(self):
        self.writing, self.read = asyncio.Event(), asyncio.Event()
        self.written, self.status = [], None

    def invocation_metadata(self):
        return OPERATOR

    def peer(self):
        return "ipv4:127.0.0.1:1"

    def cancelled(self):
        return False

    async def write(self, message):
        self.writing.set()
        await self.read.wait()
        self.written.append(message)

    async def abort(self, status, message, trailers):
        assert self.written, "gRPC takes no status while a message is on its way"
        self.status = status
        raise grpc.aio.AbortError


async def test_a_stream_that_is_writing_when_control_stops_ends_after_its_message():
    async def act(request):
        return Response()

    edge = Edge(Doorkeeper(KEYS, frozenset(), b"secret"))

    async def continuation(details):
        return Handlers(act).service(details)

    handler = await edge.intercept_service(
        continuation, SimpleNamespace(method="/test/unary_stream")
    )
    context = SlowContext()
    running = asyncio.ensure_future(handler.unary_stream(b"", context))
    await context.writing.wait()
    ending = asyncio.ensure_future(edge.end_streams(5.0))
    await asyncio.sleep(0)
    context.read.set()

    with pytest.raises(grpc.aio.AbortError):
        await running
    await ending
    assert context.status is grpc.StatusCode.UNAVAILABLE
    assert len(context.written) == 1


@pytest.mark.parametrize("kind", ["unary_stream", "stream_unary", "stream_stream", "writer"])
async def test_a_stream_that_comes_when_control_stops_is_refused(call, kind):
    async def act(request):
        raise AssertionError("the handler ran")

    edge, answer = await call(kind, act, request=None)
    await edge.end_streams(1.0)

    with pytest.raises(Unavailable, match="control is stopping"):
        await answer


async def test_a_unary_call_finishes_although_control_stops(call):
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def act(request):
        entered.set()
        await go_on.wait()
        return Response()

    edge, answer = await call("unary_unary", act)
    waiting = asyncio.ensure_future(answer)
    await entered.wait()
    await edge.end_streams(1.0)
    go_on.set()

    assert await waiting == Response()


async def test_a_caller_that_goes_away_cancels_its_handler(call):
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def act(request):
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    _, answer = await call("stream_stream", act)
    waiting = asyncio.ensure_future(answer)
    await entered.wait()
    waiting.cancel()

    await asyncio.wait_for(cancelled.wait(), 30)


async def logged(caplog):
    """Return the line about a call; it is written after its caller was told."""

    def lines():
        return [one for one in caplog.records if one.name == "control.interceptors"]

    await until(lines)
    return lines()[0]


async def test_heartbeats_are_logged_only_on_request(call, caplog, monkeypatch):
    async def act(request):
        return Response()

    caplog.set_level(logging.DEBUG)
    await answered(call, "unary_unary", act)
    record = await logged(caplog)

    assert record.levelno == logging.INFO
    assert record.getMessage().startswith("/test/unary_unary by static:")
    assert " at ipv4:127.0.0.1:" in record.getMessage()
    assert "ok" in record.getMessage()
    monkeypatch.setattr("control.interceptors.QUIET", ("unary",))
    caplog.clear()
    await answered(call, "unary_unary", act)
    record = await logged(caplog)
    assert record.levelno == logging.DEBUG


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_is_too_large_to_be_sent_is_an_error_in_the_log(call, kind, caplog):
    """gRPC itself would end the call without a word, and its caller would ask again for ever."""

    async def act(request):
        response = Response()
        response.host.display_name = "x" * (MAX_RECEIVE_BYTES + 1)
        return response

    with pytest.raises(GenieHiveError):
        await answered(call, kind, act)

    (record,) = [one for one in caplog.records if one.name == "control.interceptors"]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith(f"/test/{kind}: an answer of 16777")


class Endless(Handlers):
    """Streams without end, and tells when it was stopped."""

    def __init__(self):
        super().__init__(act=None)
        self.sent = 0
        self.stopped = asyncio.Event()

    async def unary_stream(self, request, context):
        try:
            while True:
                yield Response(host={"display_name": "x" * 100_000})
                self.sent += 1
        finally:
            self.stopped.set()


async def test_a_peer_that_never_reads_is_left_alone_and_told_so_if_it_ever_does(one_loop):
    handlers = Endless()
    server = grpc.aio.server(
        interceptors=[Edge(Doorkeeper({}, frozenset({"operator"}), b"s"), read_s=0.2)],
        options=SERVER_OPTIONS,
    )
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_stream("/test/unary_stream")(b"")
        await asyncio.wait_for(handlers.stopped.wait(), 30)
        assert handlers.sent < 100  # as much as sockets and windows hold
        with pytest.raises(PeerTooSlow, match="not read within"), control_errors():
            _ = [message async for message in call]
    await server.stop(None)


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_are_counted_by_method_and_outcome(call, kind):
    async def act(request):
        raise ModelNotFound("no")

    edge, answer = await call(kind, act, request=Request(host_id="h").SerializeToString())
    with pytest.raises(GenieHiveError):
        await answer
    method = f"/test/{kind}"
    await until(lambda: edge.counts.ended)  # after its caller was told

    assert edge.counts.ended == {(method, ModelNotFound.code): 1}
    assert bool(edge.counts.durations) == (kind == "unary_unary")


@pytest.mark.parametrize(
    ("told", "known"),
    [("req_1a", "req_1a"), ("a b", ""), ("x" * 65, ""), ('"}', "")],
    ids=["a name", "no name", "long", "json"],
)
async def test_what_is_done_for_a_request_is_told_of_it(call, told, known):
    found = []

    async def act(request):
        found.append(logs.request_id.get())
        return Response()

    metadata = (*OPERATOR, (logs.REQUEST_ID_KEY, told))
    await answered(call, "unary_unary", act, metadata=metadata)

    assert found == [known]
