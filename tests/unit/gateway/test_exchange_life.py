"""Whatever happens to a request, in whatever order: it ends once, and leaves nothing behind."""

import pytest
from geniehive.v1 import routing_service_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from control.api.errors import NotReady, UpstreamError
from gateway.answer_head import AnswerHead
from gateway.config import Config, Failover
from gateway.exchange import Exchange
from gateway.gateway import Gateway
from gateway.request_head import RequestHead
from gateway.resources import read_resource
from gateway.routes import Routes
from gateway.table import Replica
from gateway.upstream import Unreachable
from tests.unit.gateway.pushed import CHAT, follow_all, service, target

pytestmark = pytest.mark.anyio

NAMES = ["h/0", "h/1", "h/2"]
EVENTS = {b"content-type": b"text/event-stream"}
JSON = {b"content-type": b"application/json"}
EVENT = b'data: {"x":1}\n\n'
COMMENT = b": busy\n\n"
FAILED = b'data: {"error":{"message":"x"}}\n\n'
DONE = b"data: [DONE]\n\n"
PAUSES = (0.01, 1.0, 15.0, 121.0, 301.0, 3_601.0)

HEADS = [("head", *one) for one in ((200, "events"), (200, "json"), (400, "json"), (429, "json"))]
FAILURES = [("head", 401, "json"), ("head", 500, "json"), ("unreachable",), ("lost",)]
PARTS = [b'data: {"x"', b":1}\n\n", b""]
DATA = [("data", one) for one in (EVENT, COMMENT, FAILED, DONE, EVENT + DONE, *PARTS)]
WHOLE = [("whole", one) for one in (EVENT + DONE, DONE, FAILED, b'{"a":1}', b"", b"oops")]
TIME = [("wait", seconds) for seconds in PAUSES]
CLIENT = [("pause",), ("resume",), ("leave",), ("stop",)]
TABLE = [("move", 0), ("move", 1), ("remove", 0), ("remove", 1), ("restore",)]
BREAKERS = [("out", number) for number in range(3)]
STEPS = st.sampled_from([*HEADS, *FAILURES, *DATA, *WHOLE, *TIME, *CLIENT, *TABLE, *BREAKERS])


class Call:
    """A request on its way, which tells its receiver nothing after its end."""

    def __init__(self, receiver):
        self.receiver, self.headed, self.paused = receiver, False, False

    def cancel(self):
        self.receiver = None

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False

    def head(self, status, kind):
        if self.receiver is not None and not self.headed:
            self.headed = True
            headers = EVENTS if kind == "events" else JSON
            self.receiver.upstream_head(AnswerHead(status, headers))

    def data(self, content, *, done=False):
        if self.receiver is not None and self.headed and not self.paused:
            receiver = self.receiver
            if done:
                self.receiver = None
            receiver.upstream_data(content, done=done)

    def fail(self, error):
        receiver, self.receiver = self.receiver, None
        if receiver is not None:
            receiver.upstream_failed(error)


class Client:
    """What a client gets: one answer, and nothing after its end."""

    def __init__(self):
        self.content, self.begun, self.ends = b"", False, 0

    def start(self, status, head):
        assert not self.begun
        self.begun = True

    def write(self, content):
        assert self.begun
        assert not self.ends
        self.content += content

    def respond(self, status, head, content):
        self.start(status, head)
        self.end(content)

    def end(self, content):
        self.write(content)
        self.ends += 1

    break_off = end

    def cut(self):
        assert not self.ends
        self.ends += 1


class Witness:
    """Sees each request end once."""

    def __init__(self):
        self.ends = 0

    def named(self, model):
        pass

    def first_byte(self):
        assert not self.ends

    def waited(self, seconds, position):
        assert not self.ends
        assert seconds >= 0
        assert position

    def attempt(self, upstream, asset):
        assert not self.ends
        return b""

    def failed(self, error):
        assert not self.ends

    def over(self, status, usage, error):
        self.ends += 1

    def left(self, status):
        self.ends += 1


class Keys:
    def principal(self, _):
        return "k"


class World:
    """A gateway with a clock of its own, three services, and one request under way."""

    def __init__(self):
        self.now = 0.0
        self.calls = []
        settings = Config(failover=Failover(minimum=1, share=0.0))
        self.gateway = Gateway(settings, clock=lambda: self.now, random=lambda: 0.0)
        self.gateway.keys = Keys()
        self.gateway.checkups.begin = lambda upstreams, now: None
        self.gateway.routes = Routes(self._open)
        self.witness = Witness()
        self.gateway.witnesses = (lambda head, request_id: self.witness,)
        self._table = Replica(read_resource)
        self._push({name: service(name) for name in NAMES})
        self.client = Client()
        head = RequestHead(CHAT, b"/v1/chat/completions", [(b"content-type", b"application/json")])
        self.exchange = Exchange(self.gateway, self.client, head)
        self.exchange.admit(None)

    def _open(self, service_id, origin):
        upstream = self.gateway._open(service_id, origin)
        upstream.call = self._called
        return upstream

    def _called(self, receiver, *_):
        self.calls.append(Call(receiver))
        return self.calls[-1]

    def _push(self, services):
        scored = [(name, 0.9 - place / 10) for place, name in enumerate(NAMES)]
        resources = [*services.values(), target("m", *scored, strategy=pb.STRATEGY_SCORED)]
        self._services = services
        self._table.current = {one.name: read_resource(one) for one in resources}
        follow_all(self.gateway.routes, self._table)

    def do(self, kind, *told):
        getattr(self, f"do_{kind}")(*told)

    def do_head(self, status, kind):
        self.calls[-1].head(status, kind)

    def do_unreachable(self):
        self.calls[-1].fail(Unreachable("it is away"))

    def do_lost(self):
        self.calls[-1].fail(UpstreamError("it closed the connection"))

    def do_data(self, content):
        self.calls[-1].data(content)

    def do_whole(self, content):
        self.calls[-1].data(content, done=True)

    def do_wait(self, seconds):
        self.now += seconds
        self.gateway.sweep(self.now)

    def do_pause(self):
        if not self.client.ends:
            self.exchange.pause()

    def do_resume(self):
        if not self.client.ends:
            self.exchange.resume()

    def do_leave(self):
        self.exchange.cancel()

    def do_stop(self):
        self.exchange.refuse(NotReady("the gateway is stopping"))

    def do_move(self, number):
        name = NAMES[number]
        self._push({**self._services, name: service(name, f"127.0.0.1:{1 + self.now:.0f}")})

    def do_remove(self, number):
        self._push({k: v for k, v in self._services.items() if k != NAMES[number]})

    def do_restore(self):
        self._push({name: service(name) for name in NAMES})

    def do_out(self, number):
        breaker = self.gateway.rotation.breaker(NAMES[number])
        if (upstream := self.gateway.routes.upstreams.get(NAMES[number])) is not None:
            breaker = upstream.breaker
        for _ in range(5):
            breaker.failed(breaker.epoch, UpstreamError("it fails"), self.now)


@given(streams=st.booleans(), steps=st.lists(STEPS, max_size=25))
async def test_it_ends_once_and_leaves_nothing_behind(streams, steps):
    world = World()
    world.exchange.run(b'{"model":"m","stream":%s}' % (b"true" if streams else b"false"))

    for step in steps:
        world.do(*step)
        under_way = sum(call.receiver is not None for call in world.calls)
        assert under_way == len(world.gateway.active) or (not under_way and world.client.ends == 0)
        assert sum(world.gateway.in_flight().values()) <= 1
    gone = not world.client.ends
    world.do_leave()

    gateway, client = world.gateway, world.client
    assert client.ends == (0 if gone else 1)
    assert world.witness.ends == 1
    ours = client.content.count(b'"type"')  # of errors; engines give none here
    assert ours <= 1
    assert not (ours and DONE in [event + b"\n\n" for event in client.content.split(b"\n\n")])
    assert all(call.receiver is None for call in world.calls)
    assert not gateway.active
    assert not gateway.in_flight()
    assert not gateway.retry_budget.under_way
    assert not gateway.admission.held
    assert not gateway.admission.under_way
    for upstream in gateway.routes.busy():
        trying = upstream.breaker.state.name == "HALF" and not upstream.breaker.may_be_tried
        assert not trying
    (record,) = gateway.recent.records()
    assert "bug" not in record.message


def stream_under_way():
    world = World()
    world.exchange.run(b'{"model":"m","stream":true}')
    world.do("head", 200, "events")
    return world


async def test_a_client_that_reads_slowly_is_not_cut_when_a_comment_is_due():
    world = stream_under_way()
    world.do("data", COMMENT)
    world.do("pause")

    world.do("wait", 16.0)

    assert not world.client.ends
    world.do("wait", 121.0)
    assert world.client.ends


async def test_a_connection_that_outlives_its_stream_ends_soon_after_a_slow_client_has_read_it():
    world = stream_under_way()
    world.do("data", EVENT + DONE)
    world.do("pause")
    world.do("wait", 60.0)
    world.do("resume")

    world.do("wait", 1.5)

    assert world.client.content.endswith(DONE)
    assert world.client.ends == 1
    assert not world.gateway.in_flight()


async def test_what_a_service_said_in_vain_is_not_held_while_another_is_asked():
    world = World()
    body = b'{"model":"m"}'
    world.exchange.run(body)
    world.do("head", 200, "json")
    world.do("data", b" " * 1_000_000)
    assert world.gateway.admission.held == len(body) + 1_000_000

    world.do("lost")

    assert len(world.calls) == 2
    assert world.gateway.admission.held == len(body)
