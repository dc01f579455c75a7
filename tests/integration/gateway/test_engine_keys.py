"""An engine that asks for a key of its own: it gets that one, and nobody else sees it."""

import logging

import pytest

from tests.fakes import answers
from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front

pytestmark = pytest.mark.anyio

ASK = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}


async def test_the_engine_gets_its_own_key_and_never_the_clients(front: Front, engine: Engine):
    front.offer(engine.address, api_key="canary")
    front.allow("of-the-client")

    response = await front.post(ASK, authorization="Bearer of-the-client")

    assert response.status_code == 200
    assert (await engine.request()).header("authorization") == "Bearer canary"
    assert "canary" not in f"{response.headers}{response.text}"


async def test_another_key_counts_from_the_next_request_on(front: Front, engine: Engine):
    for key in ("one", "two", ""):
        front.offer(engine.address, api_key=key)
        assert (await front.post(ASK)).status_code == 200

    sent = [request.header("authorization") for request in engine.requests]
    assert sent == ["Bearer one", "Bearer two", None]


@pytest.mark.parametrize("key", ["", "canary"], ids=["without", "wrong"])
@pytest.mark.parametrize("status", [401, 403])
async def test_an_engine_that_refuses_says_what_is_missing_and_no_key(
    front: Front, engine: Engine, caplog, status: int, key: str
):
    caplog.set_level(logging.DEBUG)
    front.offer(engine.address, api_key=key)
    told = {"error": {"message": "Invalid API Key: canary", "code": status}}
    engine.script = lambda _: answers.document(told, status)

    response = await front.post(ASK)

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (502, "upstream_auth_failed")
    assert "api_key_env" in error["message"]
    assert "canary" not in f"{response.headers}{response.text}{caplog.text}"
