"""Each request has its line in the log, however it ends, if that is wanted."""

import asyncio
import io
import json

import pytest

from tests.fakes import answers
from tests.fakes.answers import Hang
from tests.fakes.engine import Engine
from tests.integration.gateway.front import front, request

pytestmark = pytest.mark.anyio


def lines(served) -> list[dict[str, object]]:
    out = io.StringIO()
    served.gateway.request_log.write(out, 100)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
async def logging(door: str, engine: Engine):
    async with front(door, log={"requests": True}) as started:
        started.offer(engine.address)
        yield started


async def test_an_answer_and_a_refusal(logging, engine: Engine):
    usage = {"prompt_tokens": 12, "completion_tokens": 3}
    engine.script = lambda _: answers.document({"usage": usage})
    good = await logging.post({"model": "small", "messages": [{"content": "a secret"}]})
    bad = await logging.post({"model": "nobody", "messages": []})
    wrong = await logging.post(b"not JSON, a secret")
    first, second, third = lines(logging)

    assert first["request_id"] == good.headers["x-request-id"]
    assert (first["service"], first["asset"], first["outcome"]) == ("h/0", "small", "answered")
    assert (first["status"], first["attempts"], first["prompt_tokens"]) == (200, 1, 12)
    assert 0 < first["duration_s"] < 30
    assert second["request_id"] == bad.headers["x-request-id"]
    assert (second["model"], second["service"], second["status"]) == ("nobody", "", 404)
    assert second["outcome"] == "model_not_found"
    assert (third["model"], third["status"]) == ("", wrong.status_code)
    assert "secret" not in json.dumps([first, second, third])


async def test_a_client_that_leaves(logging, engine: Engine):
    events = answers.events([answers.data({"n": 1}), b"data: [DONE]\n\n"])
    engine.script = lambda _: answers.cut(events, len(answers.sent(events)) - 10, Hang())
    reader, writer = await logging.connect()
    writer.write(request(b'{"model":"small","stream":true}'))
    async with asyncio.timeout(30):
        await reader.readuntil(b'{"n"')
    writer.close()
    await logging.idle()
    (line,) = lines(logging)

    assert (line["outcome"], line["status"], line["service"]) == ("client_left", 200, "h/0")


async def test_who_is_refused_before_the_body_is_read(logging):
    logging.allow("k1")
    reader, writer = await logging.connect()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
    writer.write(b"content-type: application/json\r\ncontent-length: 9\r\n\r\n")
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await logging.idle()
    (line,) = lines(logging)

    assert (line["outcome"], line["status"], line["attempts"]) == ("invalid_api_key", 401, 0)
    assert line["request_id"].encode() in head


@pytest.mark.parametrize("door", ["protocol"])  # an ASGI server answers this itself
async def test_what_is_no_request_at_all(logging):
    reader, writer = await logging.connect()
    writer.write(b"nonsense\r\n\r\n")
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    (line,) = lines(logging)

    assert (line["outcome"], line["status"], line["service"]) == ("invalid_value", 400, "")
    assert line["request_id"].encode() in answer


async def test_nothing_is_kept_by_default(front):
    await front.post({"model": "small", "messages": []})

    assert front.gateway.request_log is None


async def test_requests_behind_one_that_a_client_leaves(engine: Engine):
    """They were read, and never begun; behind the ASGI door the server alone knows of them."""
    engine.script = lambda _: answers.cut(answers.document({}), 0, Hang())
    async with front("protocol", log={"requests": True}) as started:
        started.offer(engine.address)
        _, writer = await started.connect()
        writer.write(request(b'{"model":"small"}') * 3)
        async with asyncio.timeout(30):
            while not started.gateway.active:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(0.005)
        writer.close()
        await started.idle()
        told = lines(started)

    assert [(one["outcome"], one["attempts"]) for one in told] == [
        ("client_left", 1),
        ("client_left", 0),
        ("client_left", 0),
    ]
