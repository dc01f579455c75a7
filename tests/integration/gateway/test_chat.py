"""One request and its answer, as a client sees them and as the engine sees them."""

import asyncio
import json
import re
import socket

import pytest

from tests.fakes import answers
from tests.fakes.answers import Close, Hang, Pause, Reset, Send
from tests.fakes.engine import Engine, openai
from tests.integration.gateway.front import Front
from tests.integration.gateway.front import front as serve

pytestmark = pytest.mark.anyio

ASK = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}
SECRET = "thinking aloud"


async def test_an_answer_arrives_as_the_engine_wrote_it(front: Front, engine: Engine):
    document = answers.completion("word", "small")
    engine.script = lambda _: answers.document(document)

    response = await front.post(ASK)

    assert response.status_code == 200
    assert response.content == json.dumps(document).encode()
    assert response.headers["content-type"] == "application/json"


async def test_the_answer_tells_who_gave_it(front: Front):
    response = await front.post(ASK, x_request_id="mine-1")

    told = response.headers
    assert told["x-geniehive-route"] == "small"
    assert told["x-geniehive-service"] == "h/0"
    assert told["x-geniehive-host"] == "h"
    assert told["x-geniehive-asset"] == "small"
    assert told["x-geniehive-attempts"] == "1"
    assert float(told["x-geniehive-overhead-ms"]) < 1_000
    assert re.fullmatch(r"req_[0-9a-f]{32}", told["x-request-id"])
    assert told["x-client-request-id"] == "mine-1"


@pytest.mark.parametrize("bad", ["a b", "x" * 65, "a;b", 'a"b'])
async def test_a_strange_request_id_is_not_echoed(front: Front, bad: str):
    response = await front.post(ASK, x_request_id=bad)

    assert response.status_code == 200
    assert "x-client-request-id" not in response.headers


async def test_the_engine_gets_its_own_name_for_the_model_and_no_header_of_the_client(
    front: Front, engine: Engine
):
    body = b'{ "model" : "small", "x": [1.50, "\\u00e9"], "messages": [] }'
    front.allow("secret-key")

    response = await front.post(
        body,
        authorization="Bearer secret-key",
        cookie="a=b",
        user_agent="spy",
        x_forwarded_for="1.2.3.4",
        accept_encoding="gzip",
    )

    assert response.status_code == 200
    seen = await engine.request()
    assert seen.body == body
    assert [name for name, _ in seen.headers] == [
        "host",
        "content-type",
        "accept",
        "accept-encoding",
        "x-request-id",
        "content-length",
    ]
    assert seen.header("accept-encoding") == "identity"
    assert seen.header("x-request-id") == response.headers["x-request-id"]
    assert b"secret-key" not in seen.raw


async def test_only_known_headers_of_the_engine_reach_the_client(front: Front, engine: Engine):
    strange = [("Set-Cookie", "a=b"), ("Server", "x"), ("Access-Control-Allow-Origin", "*")]
    engine.script = lambda _: answers.document({"ok": True}, headers=strange)

    response = await front.post(ASK)

    assert not {name.lower() for name, _ in strange} & set(response.headers)


async def test_connections_to_the_engine_are_kept(front: Front, engine: Engine):
    for _ in range(5):
        assert (await front.post(ASK)).status_code == 200

    assert len(engine.connections) == 1


async def test_a_kept_connection_that_the_engine_closed_costs_nothing(front: Front, engine: Engine):
    """It closes while the next request is on its way: nothing was answered, so it is sent again."""
    calls = iter(range(10))

    def script(request):
        number = next(calls)
        return [Close()] if number == 1 else answers.document({"number": number})

    engine.script = script
    assert (await front.post(ASK)).json() == {"number": 0}
    assert (await front.post(ASK)).json() == {"number": 2}


async def test_hidden_reasoning_is_removed_at_any_depth(front: Front, engine: Engine):
    message = {"role": "assistant", "content": "4", "reasoning_content": SECRET}
    document = {
        "choices": [{"message": message, "deep": [{"reasoning": {"text": SECRET}}]}],
        "usage": {"completion_tokens_details": {"reasoning_tokens": 9}},
    }
    engine.script = lambda _: answers.document(document)

    response = await front.post(ASK)

    assert SECRET not in response.text
    assert response.json() == {
        "choices": [{"message": {"role": "assistant", "content": "4"}, "deep": [{}]}],
        "usage": {"completion_tokens_details": {"reasoning_tokens": 9}},
    }


async def test_reasoning_passes_where_the_operator_wants_it(door: str, engine: Engine):
    engine.script = lambda _: answers.document({"reasoning": SECRET})
    async with serve(door, reasoning="pass") as front:
        front.offer(engine.address)

        assert (await front.post(ASK)).json() == {"reasoning": SECRET}


async def test_a_stream_arrives_event_for_event(front: Front, engine: Engine):
    parts = answers.completion_events(["a", "b"], "small", with_usage=True)
    engine.script = lambda _: answers.events(parts)

    response = await front.post({**ASK, "stream": True})

    assert response.content == b"".join(parts)
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"


async def test_a_stream_is_cleaned_however_it_is_sliced(front: Front, engine: Engine):
    hidden = answers.data({"choices": [{"delta": {"reasoning_content": SECRET}}]})
    shown = answers.data({"choices": [{"delta": {"content": "reasoning \u2028 é"}}]})
    done = answers.data("[DONE]")
    engine.script = lambda _: answers.sliced(answers.events([*[hidden, shown] * 3, done]), 7)

    response = await front.post({**ASK, "stream": True})

    clean = answers.data({"choices": [{"delta": {}}]})
    assert SECRET not in response.text
    assert response.content == (clean + shown) * 3 + done


async def test_a_token_is_not_held_back(front: Front, engine: Engine):
    """The first event reaches the client while the engine still thinks about the second."""
    first = answers.data({"n": 1})
    engine.script = lambda _: [*answers.events([first])[:3], Hang()]
    reader, writer = await front.connect()
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
        b'Content-Length: 17\r\n\r\n{"model":"small"}'
    )

    async with asyncio.timeout(30):
        assert await reader.readuntil(first)
    writer.close()


async def test_names_of_requests_spread_over_equal_services(front: Front, engine: Engine):
    async with Engine(openai(["small"])) as second:
        front.offer(engine.address, second.address)
        engine.script = lambda _: [Hang()]
        stuck = asyncio.create_task(front.post(ASK))
        await engine.request()

        assert (await front.post(ASK)).headers["x-geniehive-service"] == "h/1"
        stuck.cancel()


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_what_an_engine_says_of_the_request_is_passed_on(
    front: Front, engine: Engine, status: int
):
    engine.script = lambda _: answers.failure(status, "too long for me")

    response = await front.post(ASK)

    assert response.status_code == status
    assert response.json()["error"]["message"] == "too long for me"
    assert response.headers["x-geniehive-service"] == "h/0"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (answers.failure(401, "bad key sk-internal"), 502, "upstream_auth_failed"),
        (answers.failure(403, "no"), 502, "upstream_auth_failed"),
        (answers.failure(429, "slow down"), 429, "all_busy"),
        (answers.failure(500, "boom"), 502, "upstream_error"),
        (answers.failure(503, "Loading model"), 502, "upstream_error"),
    ],
    ids=lambda value: None if isinstance(value, int | str) else repr(answers.sent(value)[:40]),
)  # fmt: skip
async def test_what_an_engine_does_wrong_is_not_the_clients_fault(
    front: Front, engine: Engine, answer, status: int, code: str
):
    engine.script = lambda _: answer

    response = await front.post(ASK)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert "sk-internal" not in response.text
    assert ("retry-after" in response.headers) == (status == 429)
    engine.script = openai(["small"])
    assert (await front.post(ASK)).status_code == 200


async def test_interim_answers_are_skipped(front: Front, engine: Engine):
    early = Send(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3)
    engine.script = lambda _: [early, Pause(0), *answers.document({"ok": True})]

    assert (await front.post(ASK)).json() == {"ok": True}


async def test_an_answer_may_end_with_its_connection(front: Front, engine: Engine):
    engine.script = lambda _: [
        Send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"),
        Pause(0),
        Send(b"}"),
        Close(),
    ]

    assert (await front.post(ASK)).json() == {}


async def test_an_unreachable_service_is_left_for_the_next(front: Front, engine: Engine):
    async with Engine(openai(["small"])) as gone:
        address = gone.address
    front.offer(address, engine.address)

    response = await front.post(ASK)

    assert response.status_code == 200
    assert response.headers["x-geniehive-service"] == "h/1"
    assert response.headers["x-geniehive-attempts"] == "2"

    front.offer(address)
    response = await front.post(ASK)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_error")
    message = response.json()["error"]["message"]
    assert message == "h/0 cannot be reached: connection refused"


async def test_a_service_whose_name_is_not_known_is_told_so(front: Front, monkeypatch):
    async def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    front.offer("nowhere.invalid:80")

    assert "no address is known for its name" in (await front.post(ASK)).text


async def test_a_busy_service_is_left_for_the_next(front: Front, engine: Engine):
    engine.script = lambda _: answers.failure(503, "Loading model")
    async with Engine(openai(["small"])) as second:
        front.offer(engine.address, second.address)

        assert (await front.post(ASK)).headers["x-geniehive-attempts"] == "2"


@pytest.mark.parametrize("end", [Close(), Reset()])
async def test_a_stream_that_breaks_ends_with_one_error(front: Front, engine: Engine, end):
    parts = answers.completion_events(["a", "b"], "small")
    answer = answers.events(parts)
    at = answers.sent(answer).index(b'"b"') + 3
    engine.script = lambda _: answers.cut(answer, at, end)

    response = await front.post({**ASK, "stream": True})

    *passed, last = response.content.removesuffix(b"\n\n").split(b"\n\n")
    assert response.content.startswith(b"".join(parts[:2]))
    assert b"[DONE]" not in response.content
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_error"
    assert len([part for part in passed if b'"error"' in part]) == 0


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ([Hang()], "first_byte"),
        ([*answers.events([answers.data({"n": 1})])[:3], Hang()], "idle"),
        ([Send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"),
          Hang()], "idle"),
    ],
    ids=["no head", "stream stalls", "document stalls"],
)  # fmt: skip
async def test_a_silent_engine_is_given_up(door: str, engine: Engine, answer, name: str):
    engine.script = lambda _: answer
    async with serve(door, timeouts={"first_byte": 0.3, "idle": 0.3}) as front:
        front.offer(engine.address)

        response = await front.post(ASK)

        assert f"sent nothing for 0.3 s ({name})" in response.text
        assert "upstream_timeout" in response.text
        assert response.status_code == (200 if b"data:" in answers.sent(answer) else 504)
        await engine.connections[0].closed_within(10)


async def test_work_that_was_long_under_way_is_not_begun_again(front: Front, engine: Engine):
    await front.post(ASK)
    engine.script = lambda _: [Pause(1.2), Close()]

    assert (await front.post(ASK)).status_code == 502
    assert len(engine.requests) == 2


async def test_endless_trailers_are_cut(front: Front, engine: Engine):
    body = answers.chunk(b"{}") + b"0\r\nX-Long: "
    engine.script = lambda _: [
        Send(answers.head(headers=[("Content-Type", "application/json"),
                                   ("Transfer-Encoding", "chunked")]) + body),
        *[step for _ in range(100) for step in (Pause(0), Send(b"y" * 10_000))],
        Hang(),
    ]  # fmt: skip

    response = await front.post(ASK)

    assert response.json()["error"]["code"] == "upstream_bad_response"


async def test_a_request_that_may_have_felled_two_engines_is_not_handed_to_the_next(
    front: Front, engine: Engine
):
    """One may go down for any reason; that two do is the request's doing."""
    async with Engine(lambda _: [Reset()]) as victim, Engine(lambda _: [Reset()]) as next_one:
        front.offer(victim.address, next_one.address, engine.address)

        response = await front.post(ASK)

        assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_error")
        assert len(victim.requests) == len(next_one.requests) == 1
    assert not engine.requests
