"""A server with an OpenAI-compatible door, and all that may answer instead of one."""

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.engines import openai
from node.engines.openai import look
from node.engines.sight import MAX_MODELS, Model, document

pytestmark = pytest.mark.shows("openai", "fingerprint", "assets", "loaded", by="stand-in")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def answering(status=200, body=b"", **more):
    def answer(request):
        assert request.url.path == "/v1/models"
        return httpx.Response(status, content=body, **more)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def listing(*entries):
    return json.dumps({"object": "list", "data": entries}).encode()


def models(body):
    return openai.models(document(body))


async def looked(status=200, body=b""):
    async with answering(status, body) as client:
        return await look(client, "http://a:1")


@pytest.mark.anyio
async def test_listed_models_are_seen_with_their_context():
    sight = await looked(
        body=listing(
            {"id": "a", "owned_by": "vllm", "max_model_len": 2048},
            {"id": "b", "meta": {"n_ctx": 512}},
        )
    )

    assert sight.health == "healthy"
    assert sight.engine == "vllm"
    assert sight.models == (Model("a", True, 2048), Model("b", True, 512))


@pytest.mark.parametrize(
    ("entry", "loaded"),
    [
        ({"owned_by": "vllm"}, True),
        ({"owned_by": "library"}, False),
        ({"owned_by": {}}, True),
        ({"owned_by": ["library"]}, True),
        ({"owned_by": "llama-swap"}, False),
        ({"owned_by": "llama-swap", "status": {"value": "loaded"}}, True),
        ({"status": {"value": "unloaded"}}, False),
        ({"status": "ready"}, True),
        ({"status": 7}, True),
        ({"status": {"value": None}}, True),
    ],
)
def test_a_list_may_be_of_what_could_be_loaded(entry, loaded):
    assert models(listing({"id": "m", **entry})) == (Model("m", loaded),)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("owner", "loads"),
    [("library", True), ("llama-swap", True), ("organization_owner", True), ("vllm", False)],
)
async def test_who_lists_what_could_be_loaded_loads_it_when_asked(owner, loads):
    assert (await looked(body=listing({"id": "m", "owned_by": owner}))).loads_on_request is loads


@pytest.mark.anyio
async def test_llamacpp_is_told_by_its_name():
    assert (await looked(body=listing({"id": "m", "owned_by": "llamacpp"}))).engine == "llamacpp"


@pytest.mark.anyio
async def test_a_server_without_a_list_is_healthy_and_tells_no_models():
    sight = await looked(404, b"not here")

    assert (sight.health, sight.models) == ("healthy", None)


@pytest.mark.anyio
async def test_a_model_being_loaded_is_not_a_fault():
    body = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'

    assert (await looked(503, body)).health == "loading"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "body", "detail"),
    [
        (200, b"", "something else than a list"),
        (200, b"<html>", "something else than a list"),
        (200, b"\xff\xfe", "something else than a list"),
        (200, b"[" * 100_000, "something else than a list"),
        (200, b'{"data": {"id": "m"}}', "something else than a list"),
        (200, b" " * (5 << 20), "more than 2 MB"),
        (302, b"", "302"),
        (401, b"{}", "401"),
        (500, b"{}", "500"),
        (503, b"{}", "503"),
    ],
    ids=["empty", "html", "binary", "deep", "object", "huge", "redirect", "keyed", "broken", "503"],
)
async def test_what_is_no_list_is_unhealthy_and_says_why(status, body, detail):
    sight = await looked(status, body)

    assert sight.health == "unhealthy"
    assert detail in sight.detail


def test_an_entry_that_makes_no_sense_is_left_out():
    bad = [
        None,
        1,
        {},
        {"id": 7},
        {"id": ""},
        {"id": "a\nb"},
        {"id": "\u202eevil"},
        {"id": "x" * 201},
    ]

    assert models(listing(*bad, {"id": "good"}, {"id": "good"})) == (Model("good", True),)


@pytest.mark.parametrize("context", [True, -1, "many", 2**63, 1.5, None])
def test_a_context_that_makes_no_sense_is_unknown(context):
    assert models(listing({"id": "m", "max_model_len": context})) == (Model("m", True, 0),)


def test_one_server_cannot_use_up_what_a_host_may_offer():
    found = models(listing(*({"id": f"m{number}"} for number in range(MAX_MODELS + 5))))

    assert len(found) == MAX_MODELS


@given(JSON)
def test_no_document_breaks_the_reading(value):
    body = json.dumps({"data": value}).encode()
    found = models(body)

    assert found is None or all(1 <= len(model.asset_id) <= 200 for model in found)
