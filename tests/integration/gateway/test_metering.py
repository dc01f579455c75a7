"""What requests took and used is counted where they were served, however they end."""

import asyncio

import pytest

from control.api.latency import quantile
from gateway.meter import Increment
from tests.fakes import answers
from tests.fakes.answers import Close, Hang
from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front, request

pytestmark = pytest.mark.anyio

BODY = {"model": "small"}
STREAM = [
    answers.data({"n": 1}),
    answers.data({"usage": {"prompt_tokens": 7, "completion_tokens": 5}}),
    b"data: [DONE]\n\n",
]


def counted(front: Front) -> Increment:
    (found,) = front.gateway.meter.take(10)
    assert (found.service_id, found.asset_id) == ("h/0", "small")
    return found


async def test_a_document_counts_what_it_used(front: Front, engine: Engine):
    usage = {"prompt_tokens": 12, "completion_tokens": 3}
    engine.script = lambda _: answers.document({"usage": usage})
    for _ in range(3):
        await front.post(BODY)

    found = counted(front)
    assert (found.answered, found.prompt_tokens, found.completion_tokens) == (3, 36, 9)
    assert not found.first_bytes
    assert not front.gateway.meter.take(10)


async def test_a_stream_counts_its_first_byte_and_its_pace(front: Front, engine: Engine):
    engine.script = lambda _: answers.events(STREAM, pace=0.01)
    await front.post(BODY)

    found = counted(front)
    assert (found.answered, found.prompt_tokens, found.completion_tokens) == (1, 7, 5)
    assert sum(found.first_bytes.values()) == 1
    assert found.decoded_tokens == 4
    assert found.decode_s > 0


async def test_the_head_of_a_stream_is_no_byte_of_it(front: Front, engine: Engine):
    """llama.cpp sends it before it has looked at the prompt."""
    engine.script = lambda _: answers.events(STREAM, pace=0.05)
    await front.post(BODY)

    assert (quantile(counted(front).first_bytes, 0.5) or 0.0) > 0.04


@pytest.mark.parametrize(
    ("script", "errors"),
    [
        (answers.document({}, status=503), {"upstream_error": 1}),
        (answers.document({}, status=429), {"all_busy": 1}),
        (answers.document({}, status=302), {"upstream_bad_response": 1}),
        ([Close()], {"upstream_error": 1}),
        (answers.cut(answers.events(STREAM), 130, Close()), {"upstream_error": 1}),
        (answers.events([]), {"upstream_error": 1}),
    ],
    ids=["503", "429", "302", "unanswered", "mid-stream", "nothing"],
)
async def test_a_failure_counts_by_its_class(front: Front, engine: Engine, script, errors):
    engine.script = lambda _: script
    await front.post(BODY)

    found = counted(front)
    assert (found.answered, found.errors) == (0, errors)


async def test_what_the_engine_says_of_the_request_is_an_answer(front: Front, engine: Engine):
    engine.script = lambda _: answers.document({"error": {"message": "too long"}}, status=400)
    await front.post(BODY)

    assert counted(front).answered == 1


async def test_a_request_that_was_never_sent_counts_nowhere(front: Front):
    await front.post({"model": "unknown"})
    await front.post(b"{")

    assert not front.gateway.meter.take(10)


async def test_a_client_that_leaves_is_not_the_engines_failure(front: Front, engine: Engine):
    engine.script = lambda _: [Hang()]
    _, writer = await front.connect()
    writer.write(request(b'{"model":"small"}'))
    arrived = await engine.request()
    writer.close()
    async with asyncio.timeout(30):
        await arrived.connection.closed_within(10)
    await front.idle()

    found = counted(front)
    assert (found.answered, found.abandoned, found.errors) == (0, 1, {})


async def test_each_attempt_counts_where_it_was_made(front: Front, engine: Engine):
    front.offer("127.0.0.1:1", engine.address)
    engine.script = lambda _: answers.document({})
    await front.post(BODY)

    found = {one.service_id: one for one in front.gateway.meter.take(10)}
    assert found["h/0"].errors == {"upstream_error": 1}
    assert found["h/1"].answered == 1
