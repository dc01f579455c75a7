"""What is wrong with a request is said clearly, and the next good request works."""

import asyncio
import json

import pytest

from tests.fakes.engine import Engine
from tests.integration.gateway.front import CHAT, Front, request

pytestmark = pytest.mark.anyio

ASK = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}
GOOD = json.dumps(ASK).encode()

BODIES = {
    "empty": (b"", 400, "invalid_body"),
    "null": (b"null", 400, "invalid_body"),
    "array": (b"[]", 400, "invalid_body"),
    "not UTF-8": (b'{"model":"small","x":"\xff\xfe"}', 400, "invalid_body"),
    "a million deep": (b'{"model":"small","x":' + b"[" * 1_000_000, 400, "invalid_body"),
    "65 deep": (b'{"model":"small","x":' + b"[" * 65 + b"]" * 65 + b"}", 400, "invalid_body"),
    "NaN": (b'{"model":"small","temperature":NaN}', 400, "invalid_body"),
    "duplicate model": (b'{"model":"small","model":"other"}', 400, "invalid_body"),
    "11 MB": (b'{"model":"small","x":"' + b"x" * 11_000_000 + b'"}', 413, "body_too_large"),
    "model missing": (b"{}", 400, "invalid_value"),
    "model empty": (b'{"model":""}', 400, "invalid_value"),
    "model of 10 KB": (json.dumps({"model": "x" * 10_000}).encode(), 404, "model_not_found"),
    "model with newline": (b'{"model":"small\\n"}', 404, "model_not_found"),
    "model with U+202E": ('{"model":"\u202esmall"}'.encode(), 404, "model_not_found"),
    "model a list": (b'{"model":["small"]}', 400, "invalid_value"),
    "stream a text": (b'{"model":"small","stream":"true"}', 400, "invalid_value"),
    "trailing garbage": (GOOD + b"{}", 400, "invalid_body"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body_is_refused(front: Front, engine: Engine, name: str):
    body, status, code = BODIES[name]

    response = await front.post(body)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert error["message"].isprintable()
    assert len(error["message"]) < 300
    about = "stream" if "stream" in name else "model"
    assert error["param"] == (about if about in name else None)
    assert "x-request-id" in response.headers
    assert (await front.post(GOOD)).status_code == 200
    assert len(engine.requests) == 1


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ('Application/JSON;charset="UTF-8"', 200),
        ("application/json; charset=utf-16", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("", 415),
    ],
)
async def test_only_json_is_accepted(front: Front, content_type: str, status: int):
    response = await front.post(GOOD, content_type=content_type)

    assert response.status_code == status
    if status == 415:
        assert response.json()["error"]["code"] == "unsupported_media_type"


async def test_an_encoded_body_is_refused(front: Front):
    response = await front.post(GOOD, content_encoding="gzip")

    assert (response.status_code, response.json()["error"]["code"]) == (
        415,
        "unsupported_media_type",
    )


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "invalid_api_key"),
        ({"authorization": "Bearer wrong"}, 401, "invalid_api_key"),
        ({"authorization": "Basic secret"}, 401, "invalid_api_key"),
        ({"x_api_key": "x" * 10_000}, 401, "invalid_api_key"),
        ({"x_api_key": "secret", "authorization": "Bearer wrong"}, 400, "conflicting_credentials"),
        ({"x_api_key": "wrong", "authorization": "Bearer secret"}, 400, "conflicting_credentials"),
        ({"x_api_key": "secret"}, 200, None),
        ({"authorization": "Bearer secret"}, 200, None),
        ({"x_api_key": "secret", "authorization": "Bearer secret"}, 200, None),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [CHAT, "/v1/models"])
async def test_a_key_is_asked_for_alike_on_all_paths(
    front: Front, headers, status: int, code: str | None, path: str
):
    front.allow("secret")
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    wire = request(GOOD, *lines, "Connection: close", path=path)
    if path != CHAT:
        wire = b"GET" + wire.removeprefix(b"POST").replace(
            b"Content-Length: %d" % len(GOOD), b"X: y"
        )
        wire = wire.removesuffix(GOOD)

    answer = await front.raw(wire)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    if code:
        assert code.encode() in answer
    assert (b"www-authenticate: Bearer" in answer) == (status == 401)


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        ("GET /v1/chat/completions", 405, "method_not_allowed"),
        ("PUT /v1/chat/completions", 405, "method_not_allowed"),
        ("POST /v1/models", 405, "method_not_allowed"),
        ("GET /v1/nothing", 404, "not_found"),
        ("POST /v1/chat/completions/", 404, "not_found"),
        ("POST //v1/chat/completions", 404, "not_found"),
        ("POST /v1/chat/completions%00", 404, "not_found"),
        ("POST /v1/chat/../chat/completions", 404, "not_found"),
        ("POST /v1;x/chat/completions", 404, "not_found"),
        ("POST /v1/chat/completion%73", 404, "not_found"),
        ("POST /v1/chat%2Fcompletions", 404, "not_found"),
    ],
)
async def test_a_wrong_path_or_method_is_told_in_the_same_shape(
    front: Front, line: str, status: int, code: str
):
    answer = await front.raw(
        f"{line} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(body)["error"]["code"] == code
    assert b"x-request-id: req_" in head
    assert (b"allow: " in head) == (status == 405)
    assert status != 404 or b"POST /v1/chat/completions, POST /v1/" in body or b"%" in body


async def test_a_target_may_be_written_with_its_host(front: Front):
    wire = request(GOOD, "Connection: close", path=f"http://t{CHAT}")

    assert (await front.raw(wire)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("length", [1_000, 99_999_999])
async def test_who_may_not_enter_need_not_send_a_body(front: Front, length: int):
    front.allow("secret")
    reader, writer = await front.connect()
    writer.write(request(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % length))

    async with asyncio.timeout(10):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401 ")
    writer.close()


async def test_a_query_string_changes_nothing(front: Front):
    answer = await front.raw(request(GOOD, "Connection: close", path=f"{CHAT}?beta=true"))

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_models_are_listed_in_the_shape_of_openai(front: Front):
    answer = await front.raw(b"GET /v1/models HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")

    document = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert document["object"] == "list"
    assert [
        (one["id"], one["object"], one["owned_by"], type(one["created"]))
        for one in document["data"]
    ] == [("small", "model", "h", int)]
