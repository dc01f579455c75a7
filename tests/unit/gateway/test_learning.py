"""What of an exchange tells how fast its service is, and what does not."""

import pytest
from geniehive.v1 import routing_service_pb2 as pb

from gateway.answer_head import AnswerHead
from gateway.capacity import Capacity
from gateway.config import Config
from gateway.exchange import Exchange
from gateway.gateway import Gateway
from gateway.request_head import RequestHead
from gateway.resources import read_resource
from gateway.routes import Routes
from gateway.table import Replica
from tests.unit.gateway.pushed import CHAT, StubUpstream, follow_all, service, target

pytestmark = pytest.mark.anyio

SIZE = 4_000
USAGE = b'"usage":{"prompt_tokens":1000,"completion_tokens":101}'
TIMINGS = b'"timings":{"prompt_n":1000,"prompt_ms":250.0,"predicted_n":101,"predicted_ms":1000.0}'
DOCUMENT = b'{"choices":[],%b}'
FIRST = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
LAST = b"data: %b\n\ndata: [DONE]\n\n"


class Call:
    def cancel(self):
        pass

    pause = resume = cancel


class Asked(StubUpstream):
    """A service that waits to be told what to answer."""

    def __init__(self, service_id, origin):
        super().__init__(service_id, origin)
        self.tallies = {}

    def call(self, receiver, *_):
        self.receiver = receiver
        return Call()


class Watched(Capacity):
    def __init__(self):
        super().__init__()
        self.starts = []

    def started(self, depth, took_s, predicted_s):
        self.starts.append(depth)


class Client:
    def start(self, *_):
        pass

    respond = write = end = break_off = start


class World:
    """A gateway with one service, of a time that passes when it is told to."""

    def __init__(self):
        self.now = 100.0
        self.gateway = Gateway(Config(), clock=lambda: self.now)
        self.gateway.routes = routes = Routes(Asked)
        table = Replica(read_resource)
        resources = service("h/0"), target("m", ("h/0", 1.0), strategy=pb.STRATEGY_SCORED)
        table.current = {one.name: read_resource(one) for one in resources}
        follow_all(routes, table)
        self.service = routes.upstreams["h/0"]
        (choice,) = routes.resolve(CHAT, "m").choices
        self.rates = choice.rates

    def ask(self, *, stream=False):
        head = b'{"model":"m","stream":%b,"prompt":"' % (b"true" if stream else b"false")
        body = head + b"x" * (SIZE - len(head) - 2) + b'"}'
        exchange = Exchange(self.gateway, Client(), RequestHead(CHAT, b"/v1/chat/completions", []))
        exchange.run(body)
        return exchange

    def answer(self, took_s, content, *, status=200):
        receiver = self.service.receiver
        self.now += took_s
        receiver.upstream_head(AnswerHead(status, {b"content-type": b"application/json"}))
        receiver.upstream_data(content, done=True)

    def stream(self, first_s, rest_s, last, *, comment=b""):
        receiver = self.service.receiver
        receiver.upstream_head(AnswerHead(200, {b"content-type": b"text/event-stream"}))
        if comment:
            receiver.upstream_data(comment, done=False)
        self.now += first_s
        receiver.upstream_data(FIRST, done=False)
        self.now += rest_s
        receiver.upstream_data(LAST % last, done=True)

    @property
    def learned(self):
        return self.rates.told(own=True)


async def test_a_stream_tells_of_both_speeds():
    world = World()
    world.ask(stream=True)
    world.stream(0.52, 2.0, DOCUMENT % USAGE)

    told = world.learned

    assert told.prefill == pytest.approx(2_000)
    assert told.decode == ((1, pytest.approx(50.0)),)
    assert (told.answer, told.bytes_per_token, told.samples) == (101, 4, 1)


async def test_a_comment_before_it_is_no_part_of_an_answer():
    world = World()
    world.ask(stream=True)
    world.stream(10.0, 2.0, DOCUMENT % USAGE, comment=b": loading\n\n")

    assert world.learned.decode == ((1, pytest.approx(50.0)),)


async def test_a_client_that_reads_slowly_makes_no_service_slow():
    world = World()
    exchange = world.ask(stream=True)
    receiver = world.service.receiver
    receiver.upstream_head(AnswerHead(200, {b"content-type": b"text/event-stream"}))
    receiver.upstream_data(FIRST, done=False)
    exchange.pause()
    world.now += 100.0
    exchange.resume()
    receiver.upstream_data(LAST % (DOCUMENT % USAGE), done=True)

    assert world.learned.decode == ()


async def test_the_engine_s_own_timings_count_more():
    world = World()
    for _ in range(20):
        world.ask(stream=True)
        world.stream(1.0, 20.0, DOCUMENT % (USAGE + b"," + TIMINGS))

    assert world.rates.prefill == pytest.approx(4_000, rel=0.1)
    assert world.rates.token_s(1) == pytest.approx(1 / 100, rel=0.1)


async def test_a_whole_answer_tells_of_its_speed():
    world = World()
    world.ask()
    world.answer(1.02 + 101 / 50, DOCUMENT % USAGE)

    assert world.learned.decode == ((1, pytest.approx(50.0, rel=0.01)),)


async def test_a_refusal_tells_nothing_of_speed():
    world = World()
    world.ask()
    world.answer(0.001, b'{"error":{"message":"no"}}', status=400)

    assert (world.learned.prefill, world.learned.decode, world.learned.samples) == (None, (), 0)


async def test_a_whole_answer_that_waited_for_a_slot_tells_nothing_but_of_its_timings():
    world = World()
    world.service.elsewhere = 20
    world.ask()
    world.answer(60.0, DOCUMENT % USAGE)
    assert world.learned.samples == 0

    world.ask()
    world.answer(60.0, DOCUMENT % TIMINGS)

    assert world.learned.prefill == pytest.approx(4_000)


async def test_who_is_slow_is_believed_to_have_fewer_slots_only_when_its_speed_is_known():
    world = World()
    world.service.elsewhere = 3
    world.service.capacity = capacity = Watched()

    for _ in range(2):
        world.ask(stream=True)
        world.stream(60.0, 2.0, DOCUMENT % USAGE)

    assert capacity.starts == [3]
