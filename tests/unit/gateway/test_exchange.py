"""Who is asked for a request, and who next: by the strategy, whatever came before."""

from collections import Counter
from random import Random

import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from gateway.answer_head import AnswerHead
from gateway.config import Config
from gateway.exchange import Exchange
from gateway.gateway import Gateway
from gateway.request_head import RequestHead
from gateway.resources import read_resource
from gateway.routes import Routes
from gateway.table import Replica
from gateway.upstream import Unreachable
from tests.unit.gateway.pushed import CHAT, StubUpstream, follow_all, policy, service, target

pytestmark = pytest.mark.anyio

GOOD = b'{"model":"m","messages":[]}'
BAD = b'{"model":"m"}'  # nothing can be said in it
PROMPT = 7
SPREADING = [pb.STRATEGY_ROUND_ROBIN, pb.STRATEGY_LEAST_LOADED, pb.STRATEGY_POWER_OF_TWO]


class Call:
    def cancel(self):
        pass


class Asked(StubUpstream):
    """A service that does not answer, or cannot be reached: `away`."""

    def __init__(self, service_id, origin):
        super().__init__(service_id, origin)
        self.tallies = {}
        self.asked = 0
        self.away = False
        self._waiting = []

    def call(self, receiver, *_):
        self.asked += 1
        self.receiver = receiver
        if self.away:
            self._waiting.append(receiver)
        return Call()

    def fail(self):
        """Fail what is under way; return whether anything was."""
        waiting, self._waiting = self._waiting, []
        for receiver in waiting:
            receiver.upstream_failed(Unreachable("it is away"))
        return bool(waiting)


class Client:
    status, content = None, b""

    def start(self, status, head):
        self.status = status

    def write(self, content):
        self.content += content

    def respond(self, status, head, content):
        self.status, self.content = status, content

    end = write


class World:
    """A gateway that routes the model `m` to services `h/0`, `h/1`, …"""

    def __init__(
        self,
        *tiers,
        strategy,
        stand_in=None,
        reasoning=("strip", None),
        upstream=Asked,
        **fields,
    ):
        gateway_says, role_says = reasoning
        self.gateway = Gateway(Config(reasoning=gateway_says), random=Random(1).random)
        self.gateway.routes = Routes(upstream)
        names = [f"h/{number}" for number in range(len(tiers))]
        # Alike but for their order, so that all that strategies may look at differs.
        candidates = [
            (name, 0.9 - place / 100, {"tier": tier, **fields})
            for place, (name, tier) in enumerate(zip(names, tiers, strict=True))
        ]
        resources = [
            *map(service, names),
            policy(PROMPT, system_prompt="P", reasoning=role_says),
            target("m", *candidates, strategy=strategy, fallback_roles=["general"]),
        ]
        if stand_in is not None:
            resources.append(target("general", *candidates, strategy=stand_in, role=True))
        table = Replica(read_resource)
        table.current = {one.name: read_resource(one) for one in resources}
        follow_all(self.gateway.routes, table)
        self.services = [self.gateway.routes.upstreams[name] for name in names]

    def ask(self, body=GOOD):
        """Have one more request under way, and everything that fails fail."""
        client = Client()
        exchange = Exchange(self.gateway, client, RequestHead(CHAT, b"/v1/chat/completions", []))
        exchange.run(body)
        while any(one.fail() for one in self.services):
            pass
        return exchange, client

    def in_flight(self):
        return [one.in_flight for one in self.services]


@pytest.mark.parametrize("strategy", SPREADING)
async def test_others_share_what_a_service_that_is_away_would_get(strategy):
    world = World(0, 0, 0, 0, strategy=strategy)
    world.services[1].away = True

    for _ in range(300):
        world.ask()

    shares = world.in_flight()
    assert shares.pop(1) == 0
    assert sum(shares) == 300
    assert max(shares) <= 1.1 * min(shares)


@pytest.mark.parametrize("strategy", SPREADING)
async def test_the_next_tier_serves_by_the_same_strategy(strategy):
    world = World(0, 1, 1, 1, 2, strategy=strategy)
    world.services[0].away = True

    for _ in range(300):
        world.ask()

    first, *shares, last = world.in_flight()
    assert first == last == 0
    assert max(shares) <= 1.1 * min(shares)


async def test_each_service_is_asked_once_and_in_order_of_tiers():
    world = World(0, 1, 1, 2, strategy=pb.STRATEGY_ROUND_ROBIN, stand_in=pb.STRATEGY_SCORED)
    for one in world.services:
        one.away = True

    _, client = world.ask()

    assert [one.asked for one in world.services] == [1, 1, 1, 1]
    assert client.status == 502
    assert world.in_flight() == [0, 0, 0, 0]


async def test_a_request_that_cannot_be_shaped_takes_no_turn():
    """Else a client that sends one bad request between two good ones decides who serves."""
    world = World(0, 0, strategy=pb.STRATEGY_ROUND_ROBIN, policy_id=PROMPT)

    for _ in range(10):
        world.ask()
        _, client = world.ask(BAD)
        assert client.status == 400

    assert world.in_flight() == [5, 5]


async def test_a_request_that_leaves_is_counted_nowhere():
    world = World(0, 0, strategy=pb.STRATEGY_ROUND_ROBIN)

    exchanges = [world.ask()[0] for _ in range(4)]
    for exchange in exchanges:
        exchange.cancel()

    assert world.in_flight() == [0, 0]
    assert Counter(one.asked for one in world.services) == {2: 2}


@pytest.mark.parametrize(
    ("reasoning", "hides"),
    [
        (("strip", inventory.REASONING_UNSPECIFIED), True),
        (("strip", inventory.REASONING_PASS), False),
        (("pass", inventory.REASONING_UNSPECIFIED), False),
        (("pass", inventory.REASONING_STRIP), True),
    ],
)
@pytest.mark.parametrize(
    ("status", "kind", "content"),
    [
        (200, b"application/json", b'{"reasoning":"secret","x":1}'),
        (400, b"application/json", b'{"error":{"reasoning":"secret","message":"no"}}'),
        (200, b"text/event-stream", b'data: {"reasoning":"secret","x":1}\n\ndata: [DONE]\n\n'),
    ],
    ids=["document", "error", "stream"],
)
async def test_a_role_says_whether_reasoning_passes_and_else_the_gateway(
    reasoning, hides, status, kind, content
):
    world = World(0, strategy=pb.STRATEGY_SCORED, policy_id=PROMPT, reasoning=reasoning)
    _, client = world.ask()
    receiver = world.services[0].receiver

    receiver.upstream_head(AnswerHead(status, {b"content-type": kind}))
    receiver.upstream_data(content, done=True)

    assert client.status == status
    assert client.content == (content.replace(b'"reasoning":"secret",', b"") if hides else content)
    assert world.in_flight() == [0]


async def test_a_name_of_megabytes_is_not_remembered_whole():
    world = World(0, strategy=pb.STRATEGY_LEAST_LOADED)

    exchange, client = world.ask(b'{"model":"' + b"x" * 1_000_000 + b'"}')

    assert client.status in (404, 503)
    assert len(exchange._model) == len(exchange.record().model) == 200
