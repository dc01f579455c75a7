"""Services that leave the rotation of a running gateway and return to it."""

import asyncio
import logging

import pytest

from gateway.breaker import State
from tests.fakes import answers
from tests.fakes.answers import Hang, Send
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import front

RULES = {"failures": 2, "pause": 0.2, "slow_start": 0.0}
BODY = {"model": "small"}

pytestmark = pytest.mark.anyio


def broken(_):
    return answers.failure(500, "out of memory", "server_error")


def chats(engine):
    return sum(request.method == "POST" for request in engine.requests)


async def fallen(gateway, *engines):
    """Offer engines, the first of which is broken; return its breaker when it is out."""
    gateway.offer(*(engine.address for engine in engines))
    breaker = gateway.gateway.routes.upstreams["h/0"].breaker
    for _ in range(2):
        assert (await gateway.post(BODY)).status_code == 200
    assert breaker.state is State.OUT
    return breaker


async def until(fact):
    async with asyncio.timeout(30):
        while not fact():  # noqa: ASYNC110  # a breaker sends no events
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("door", ["protocol", "asgi"])
async def test_who_is_out_gets_no_client_before_a_checkup_and_then_one(door, caplog):
    caplog.set_level(logging.INFO, logger="gateway.gateway")
    async with (
        Engine(broken) as bad,
        Engine(openai(["small"])) as good,
        front(door, ejection=RULES) as gateway,
    ):
        breaker = await fallen(gateway, bad, good)
        for _ in range(5):
            await gateway.post(BODY)
        assert chats(bad) == 2

        bad.script = openai(["small"])
        await until(lambda: breaker.may_be_tried)
        assert bad.requests[-1].target == "/v1/models"
        assert chats(bad) == 2

        answer = await gateway.post(BODY)
        assert answer.headers["x-geniehive-service"] == "h/0"
        assert gateway.gateway.rotation.quiet

    told = [one.getMessage() for one in caplog.records if one.name == "gateway.gateway"]
    assert told == ["h/0 is out of rotation: 2 answers 500", "h/0 is back in rotation"]


async def test_while_checkups_fail_no_client_is_used():
    async with (
        Engine(broken) as bad,
        Engine(openai(["small"])) as good,
        front("protocol", ejection=RULES) as gateway,
    ):
        await fallen(gateway, bad, good)
        await bad.until(lambda: len(bad.requests) - chats(bad) >= 3, 10.0)
        await gateway.post(BODY)

        assert chats(bad) == 2


async def test_a_stream_that_has_begun_shows_that_the_engine_is_back():
    head = answers.head(200, [("Content-Type", "text/event-stream")])
    begun = [Send(head + answers.data({"choices": []})), Hang()]
    async with (
        Engine(broken) as bad,
        Engine(openai(["small"])) as good,
        front("protocol", ejection=RULES) as gateway,
    ):
        breaker = await fallen(gateway, bad, good)
        bad.script = lambda request: begun if request.method == "POST" else [Send(answers.head())]
        await until(lambda: breaker.may_be_tried)

        asking = asyncio.create_task(gateway.post({**BODY, "stream": True}))
        await until(lambda: breaker.state is State.IN)
        asking.cancel()
        await asyncio.wait([asking])


async def test_an_engine_that_hangs_is_out_however_soon_clients_give_up():
    """Where the gateway would wait for longer than they do."""
    async with (
        Engine(lambda _: [Hang()]) as hung,
        Engine(openai(["small"])) as good,
        front("protocol", ejection={**RULES, "pause": 60.0}) as gateway,
    ):
        gateway.offer(hung.address, good.address)
        breaker = gateway.gateway.routes.upstreams["h/0"].breaker
        # Both at once, while the other one is held to be busier.
        gateway.gateway.routes.upstreams["h/1"].elsewhere = 9
        asking = (gateway.post(BODY, x_request_timeout="1.1") for _ in range(2))
        assert [answer.status_code for answer in await asyncio.gather(*asking)] == [504, 504]
        await until(lambda: breaker.state is State.OUT)

        assert (await gateway.post(BODY)).status_code == 200


async def test_a_table_that_is_pushed_again_changes_nothing():
    async with (
        Engine(broken) as bad,
        Engine(openai(["small"])) as good,
        front("protocol", ejection={**RULES, "pause": 60.0}) as gateway,
    ):
        breaker = await fallen(gateway, bad, good)
        gateway.offer(bad.address, good.address)
        assert gateway.gateway.routes.upstreams["h/0"].breaker is breaker

        gateway.route([])  # it leaves and returns
        gateway.offer(bad.address, good.address)
        assert gateway.gateway.routes.upstreams["h/0"].breaker is breaker
        await gateway.post(BODY)

        assert breaker.state is State.OUT
        assert chats(bad) == 2
