"""Whatever three engines do, a client gets one answer: the first good one there is."""

from itertools import takewhile

import pytest
from geniehive.v1 import routing_service_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from control.api.errors import UpstreamError
from gateway.answer_head import AnswerHead
from gateway.config import Config
from gateway.exchange import Exchange
from gateway.gateway import Gateway
from gateway.request_head import RequestHead
from gateway.resources import read_resource
from gateway.routes import Routes
from gateway.table import Replica
from gateway.upstream import Unreachable, Upstream
from tests.unit.gateway.pushed import CHAT, follow_all, service, target

pytestmark = pytest.mark.anyio

NAMES = ["h/0", "h/1", "h/2"]
STREAM_HEAD = {b"content-type": b"text/event-stream"}
JSON_HEAD = {b"content-type": b"application/json"}
EVENT, DONE = b'data: {"from":"%b"}\n\n', b"data: [DONE]\n\n"
DOCUMENT = b'{"from":"%b"}'


def head(status, headers=JSON_HEAD):
    return lambda receiver, _: receiver.upstream_head(AnswerHead(status, headers, framed=True))


def data(content, *, done=False):
    return lambda receiver, me: receiver.upstream_data(
        content % me if b"%b" in content else content, done=done
    )


def fails(error):
    return lambda receiver, _: receiver.upstream_failed(error)


LOST = fails(UpstreamError("it closed the connection"))

# An answer of which the client must see all, once.
GOOD = {
    "document": [head(200), data(DOCUMENT, done=True)],
    "document in parts": [head(200), data(DOCUMENT), data(b" "), data(b"", done=True)],
    "refusal": [head(400), data(DOCUMENT, done=True)],
    "stream": [head(200, STREAM_HEAD), data(EVENT), data(DONE), data(b"", done=True)],
    "stream at once": [head(200, STREAM_HEAD), data(EVENT + DONE, done=True)],
}
# A stream that began well; nobody else may go on with it.
BEGUN = {
    "stream that is lost": [head(200, STREAM_HEAD), data(EVENT), LOST],
    "stream that stalls": [head(200, STREAM_HEAD), data(EVENT)],
}
# Nothing of these may be seen, and somebody else is asked.
BAD = {
    "unreachable": [fails(Unreachable("it is away"))],
    "error": [head(500)],
    "busy": [head(429)],
    "busy for a while": [head(503, {b"retry-after": b"3"})],
    "web page": [head(200, {b"content-type": b"text/html"})],
    "redirect": [head(302)],
    "empty document": [head(200), data(b"", done=True)],
    "no document": [head(200), data(b"{oops", done=True)],
    "document of an error": [head(200), data(b'{"error":{"message":"x"}}', done=True)],
    "silence": [],
    "silence within a document": [head(200), data(b'{"a"')],
    "silence before the first event": [head(200, STREAM_HEAD)],
}
# As these, but two of them are enough: the request may be what did it.
LOSSES = {
    "lost": [LOST],
    "lost within a document": [head(200), data(b'{"a"'), LOST],
    "lost before the first event": [head(200, STREAM_HEAD), LOST],
}
ALL = GOOD | BEGUN | BAD | LOSSES
SCRIPTS = st.lists(st.sampled_from(sorted(ALL)), min_size=3, max_size=3)


class Call:
    def __init__(self, receiver, steps, me):
        self.receiver, self.steps, self.me = receiver, steps, me
        self.over = False

    def play(self):
        for step in self.steps:
            if self.over:
                return
            step(self.receiver, self.me)

    def cancel(self):
        self.over = True


class Client:
    """What a client gets of the answer, and how often it ended."""

    def __init__(self):
        self.status, self.content, self.begun, self.ends = 0, b"", 0, 0

    def start(self, status, _):
        self.status, self.begun = status, self.begun + 1

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


class World:
    """A gateway with three services in a fixed order, each with its script, and a clock."""

    def __init__(self, scripts):
        self.now = 0.0
        self.asked = []
        self._waiting = []
        self.gateway = Gateway(Config(), clock=lambda: self.now, random=lambda: 0.0)
        self._scripts = dict(zip(NAMES, scripts, strict=True))
        self.gateway.routes = Routes(self._open)
        resources = [*map(service, NAMES)]
        scored = [(name, 0.9 - place / 10) for place, name in enumerate(NAMES)]
        resources.append(target("m", *scored, strategy=pb.STRATEGY_SCORED))
        table = Replica(read_resource)
        table.current = {one.name: read_resource(one) for one in resources}
        follow_all(self.gateway.routes, table)

    def _open(self, service_id, origin):
        upstream = Upstream(service_id, origin, 1.0, lambda: self.now)
        upstream.breaker = self.gateway.rotation.breaker(service_id)
        upstream.call = lambda receiver, *_: self._called(service_id, receiver)
        return upstream

    def _called(self, service_id, receiver):
        self.asked.append(service_id)
        call = Call(receiver, ALL[self._scripts[service_id]], service_id.encode())
        self._waiting.append(call)
        return call

    def ask(self):
        """Serve one request to its end, however long that takes."""
        client = Client()
        exchange = Exchange(self.gateway, client, RequestHead(CHAT, b"/v1/chat/completions", []))
        exchange.run(b'{"model":"m"}')
        while not client.ends:
            while self._waiting:
                self._waiting.pop().play()
            if not client.ends:
                self.now = exchange.deadline + 1.0
                self.gateway.sweep(self.now)
        return client


def whole(name, script):
    """Return all that a client may see of a good answer."""
    me = name.encode()
    return (
        EVENT % me + DONE if "stream" in script else (DOCUMENT % me) + b" " * ("in parts" in script)
    )


@given(scripts=SCRIPTS)
async def test_the_client_gets_the_first_good_answer_and_nothing_else(scripts):
    world = World(scripts)
    client = world.ask()

    assert client.begun == client.ends == 1
    assert world.asked == NAMES[: len(world.asked)], "each once, and in order"
    last, script = world.asked[-1], scripts[len(world.asked) - 1]
    for name in NAMES:
        seen = b'"from":"%b"' % name.encode() in client.content
        assert seen == (name == last and script in GOOD | BEGUN)
    if script in GOOD:
        assert client.content == whole(last, script)
    elif script in BEGUN:
        assert client.content.startswith(EVENT % last.encode())
        assert client.content.count(b'"error"') == 1
        assert DONE not in client.content
    else:
        assert client.status in (429, 502, 504)
    assert not world.gateway.active
    assert not world.gateway.loads()


@given(scripts=SCRIPTS)
async def test_a_good_answer_is_found_wherever_it_is(scripts):
    world = World(scripts)
    world.ask()

    failed = list(takewhile(lambda script: script not in GOOD | BEGUN, scripts))
    losses = [place for place, script in enumerate(failed, 1) if script in LOSSES]
    assert len(world.asked) == (losses[1] if len(losses) > 1 else min(len(failed) + 1, 3))
