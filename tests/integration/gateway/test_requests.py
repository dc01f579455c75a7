"""How requests went can be asked of the gateway that served them, behind either door."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.fakes import answers
from tests.fakes.answers import Hang
from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front, request
from tests.integration.gateway.front import front as serve

pytestmark = pytest.mark.anyio

BODY = {"model": "small", "messages": [{"role": "user", "content": "a secret"}]}
NOBODY = "127.0.0.1:9"  # where nothing listens


async def told(front: Front, path: str = "", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(f"{front.url}/v1/requests{path}", headers=headers)


async def story(front: Front, request_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await told(front, f"/{request_id}")).json()
    return found


async def test_an_answer_is_told_by_either_name(front: Front, engine: Engine):
    usage = {"prompt_tokens": 12, "completion_tokens": 3}
    engine.script = lambda _: answers.document({"usage": usage, "secret": "a secret"})
    answer = await front.post(BODY, x_request_id="mine")
    ours = await told(front, f"/{answer.headers['x-request-id']}")
    found = ours.json()

    assert found["client_request_id"] == "mine"
    assert (found["operation"], found["model"]) == ("chat", "small")
    assert (found["outcome"], found["status"], found["message"]) == ("answered", 200, None)
    assert found["usage"] == usage
    assert 0 <= found["overhead_ms"] < 10_000
    assert 0 < found["duration_s"] < 30
    assert found["first_byte_s"] is None  # that is for streams
    (attempt,) = found["attempts"]
    assert (attempt["service_id"], attempt["asset_id"], attempt["error"]) == ("h/0", "small", None)
    assert (await told(front, "/mine")).json()["id"] == found["id"]
    assert "secret" not in ours.text


async def test_who_was_asked_in_vain_is_told_with_the_reason(front: Front, engine: Engine):
    front.offer(NOBODY, engine.address)
    engine.script = lambda _: answers.document({})
    for _ in range(6):
        answer = await front.post(BODY)
        assert answer.status_code == 200
        if answer.headers["x-geniehive-attempts"] == "2":
            break
    found = await story(front, answer.headers["x-request-id"])
    first, second = found["attempts"]

    assert (first["service_id"], first["error"]["code"]) == ("h/0", "upstream_error")
    assert first["error"]["message"].startswith("h/0 cannot be reached")
    assert (second["service_id"], second["error"]) == ("h/1", None)
    assert first["began_s"] <= second["began_s"] <= found["duration_s"]


async def test_a_refusal_is_told_with_what_the_client_was_told(front: Front):
    answer = await front.post({**BODY, "model": "nobody"})
    found = await story(front, answer.headers["x-request-id"])

    assert (found["outcome"], found["status"]) == ("model_not_found", 404)
    assert found["message"] == answer.json()["error"]["message"]
    assert (found["model"], found["attempts"]) == ("nobody", [])


async def test_one_under_way_and_then_left(front: Front, engine: Engine):
    events = answers.events([answers.data({"n": 1}), b"data: [DONE]\n\n"])
    engine.script = lambda _: answers.cut(events, len(answers.sent(events)) - 10, Hang())
    reader, writer = await front.connect()
    writer.write(request(b'{"model":"small","stream":true}', "X-Request-Id: mine"))
    async with asyncio.timeout(30):
        await reader.readuntil(b'{"n"')
    running = await story(front, "mine")
    writer.close()
    await front.idle()
    left = await story(front, "mine")

    assert (running["outcome"], running["status"]) == ("running", 200)
    assert running["duration_s"] is None
    assert running["first_byte_s"] is not None
    assert (left["outcome"], left["id"]) == ("client_left", running["id"])
    assert left["duration_s"] >= left["first_byte_s"]


async def test_a_slow_engine_is_named_with_the_command_that_tells_more(
    door: str, engine: Engine, caplog: pytest.LogCaptureFixture
):
    engine.script = lambda _: [Hang()]
    async with serve(door, timeouts={"first_byte": 0.05}) as front:
        front.offer(engine.address)
        answer = await front.post(BODY)
        request_id = answer.headers["x-request-id"]
        found = await story(front, request_id)

    message = answer.json()["error"]["message"]
    assert answer.status_code == 504
    # Who runs that command, or reads the log, is not told to run it.
    told, command = message.split("; ")
    assert command == f"geniehive request {request_id}"
    assert (found["outcome"], found["message"]) == ("upstream_timeout", told)
    assert f"{request_id}: {told}" in caplog.messages
    assert found["attempts"][-1]["error"]["code"] == "upstream_timeout"


async def test_each_key_has_its_own_requests(front: Front, engine: Engine):
    engine.script = lambda _: answers.document({})
    front.allow("k1", "k2")
    answer = await front.post(BODY, authorization="Bearer k1", x_request_id="mine")
    strange = await front.post(BODY, x_request_id="nobody-s")
    path = f"/{answer.headers['x-request-id']}"

    assert strange.status_code == 401
    for name in (path, "/mine", f"/{strange.headers['x-request-id']}", "/nobody-s"):
        assert (await told(front, name, authorization="Bearer k2")).status_code == 404
    assert (await told(front, "", authorization="Bearer k2")).json()["data"] == []
    assert (await told(front, path, authorization="Bearer k1")).status_code == 200
    assert (await told(front, "/nobody-s", authorization="Bearer k1")).status_code == 404
    assert (await told(front, path)).status_code == 401


async def test_strangers_push_out_nothing(front: Front):
    front.allow("k1")
    await front.post(BODY)

    assert [*front.gateway.recent.records()] == []
