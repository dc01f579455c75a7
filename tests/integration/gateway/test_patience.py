"""How long a request may take: one deadline over all attempts, and a sign while it waits."""

import asyncio
import json

import pytest

from tests.fakes import answers
from tests.fakes.answers import Hang, Pause
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import Front, request
from tests.integration.gateway.front import front as serve

pytestmark = pytest.mark.anyio

ASK = {"model": "small"}
STREAM = {"model": "small", "stream": True}
SLOW = [Pause(0.5), *answers.events([answers.data({"n": 1}), answers.data("[DONE]")])]


@pytest.mark.parametrize("value", ["-1", "nan", "0", "", "inf", "soon"])
async def test_a_deadline_that_is_none_is_refused(front: Front, engine: Engine, value: str):
    response = await front.post(ASK, x_request_timeout=value)

    assert response.status_code == 400
    assert response.json()["error"]["param"] == "X-Request-Timeout"
    assert not engine.requests


async def test_a_deadline_beyond_the_settings_is_theirs(front: Front):
    assert (await front.post(ASK, x_request_timeout="1e9")).status_code == 200


async def test_one_deadline_holds_for_all_attempts(door: str):
    async with Engine(lambda _: [Hang()]) as one, Engine(lambda _: [Hang()]) as other:
        async with serve(door, timeouts={"first_byte": 0.3}) as front:
            front.offer(one.address, other.address)

            response = await front.post(ASK, x_request_timeout="0.45")

        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (504, "upstream_timeout")
        assert "after 0.45 s (X-Request-Timeout); geniehive request req_" in error["message"]
        assert response.headers["x-geniehive-attempts"] == "2"
        for engine in (one, other):
            await engine.connections[0].closed_within(10)


async def test_impatience_of_clients_ejects_nobody(front: Front, engine: Engine):
    engine.script = lambda _: [Pause(0.2), *answers.document({})]

    for _ in range(6):
        assert (await front.post(ASK, x_request_timeout="0.05")).status_code == 504

    assert front.gateway.rotation.quiet


async def test_a_service_may_have_patience_of_its_own(door: str, engine: Engine):
    engine.script = lambda _: [Hang()]
    told = {"first_byte": 9, "services": {"h/*": {"first_byte": 0.1}}}
    async with serve(door, timeouts=told) as front:
        front.offer(engine.address)

        error = (await front.post(ASK)).json()["error"]

    assert "h/0 sent nothing for 0.1 s (first_byte)" in error["message"]


async def test_an_operation_may_have_less_time_for_all(door: str, engine: Engine):
    engine.script = lambda _: [Hang()]
    async with serve(door, timeouts={"operations": {"chat": {"total": 0.1}}}) as front:
        front.offer(engine.address)

        error = (await front.post(ASK)).json()["error"]

    assert error["code"] == "upstream_timeout"
    assert "after 0.1 s (total)" in error["message"]


async def test_who_waits_for_a_stream_hears_that_it_is_awaited(door: str, engine: Engine):
    engine.script = lambda _: SLOW
    async with serve(door, timeouts={"ping": 0.1}) as front:
        front.offer(engine.address)

        response = await front.post(STREAM)

    content = response.content
    assert content.endswith(b'data: {"n": 1}\n\ndata: [DONE]\n\n')
    assert 1 <= content.count(b": ping\n\n") <= 5
    assert content.removeprefix(b": ping\n\n" * content.count(b": ping\n\n")).startswith(b"data")
    assert "x-geniehive-service" not in response.headers  # who answers was not known yet


async def test_after_a_ping_another_service_may_still_answer(door: str, engine: Engine):
    async with Engine(openai(["small"])) as good:
        engine.script = lambda _: [Pause(0.3), *answers.failure(500, "it broke")]
        async with serve(door, timeouts={"ping": 0.1}) as front:
            front.offer(engine.address, good.address)

            response = await front.post(STREAM)

    assert response.status_code == 200
    assert b": ping\n\n" in response.content
    assert response.content.endswith(b"data: [DONE]\n\n")
    assert b'"error"' not in response.content


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (answers.failure(500, "it broke"), "upstream_error"),
        (answers.document({"error": {"code": "too_long"}}, 400), "too_long"),
        (answers.document({"choices": []}), "upstream_bad_response"),
    ],
    ids=["a failure", "the client's mistake", "no stream"],
)
async def test_after_a_ping_an_error_is_an_event(door: str, engine: Engine, answer, code: str):
    engine.script = lambda _: [Pause(0.3), *answer]
    async with serve(door, timeouts={"ping": 0.1}) as front:
        front.offer(engine.address)

        response = await front.post(STREAM)

    last = response.content.removesuffix(b"\n\n").split(b"\n\n")[-1]
    assert response.status_code == 200
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == code
    assert b"[DONE]" not in response.content


async def test_who_waits_for_a_document_gets_nothing_but_that(door: str, engine: Engine):
    engine.script = lambda _: [Pause(0.3), *answers.document({"choices": []})]
    async with serve(door, timeouts={"ping": 0.1}) as front:
        front.offer(engine.address)

        assert (await front.post(ASK)).json() == {"choices": []}


async def test_a_client_that_hears_pings_may_leave(door: str, engine: Engine):
    engine.script = lambda _: [Hang()]
    async with serve(door, timeouts={"ping": 0.05}) as front:
        front.offer(engine.address)
        reader, writer = await front.connect()
        writer.write(request(json.dumps(STREAM).encode()))
        async with asyncio.timeout(30):
            await reader.readuntil(b": ping\n\n")

        writer.close()

        await (await engine.request()).connection.closed_within(10)
