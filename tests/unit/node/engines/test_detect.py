"""Finding model servers by their port."""

import json

import httpx
import pytest

from node.engines.detect import detect, look

BY_PORT = {
    1: (200, {"data": [{"id": "m", "owned_by": "llamacpp"}]}),
    2: (200, {"data": []}),
    3: (404, {"detail": "Not Found"}),
    4: (200, "a web page"),
    5: (503, {"error": {"message": "Loading model"}}),
    6: (401, {"error": {}}),
}


def answer(request):
    status, content = BY_PORT[request.url.port]
    if request.url.path == "/health":
        return httpx.Response(503 if status == 503 else 200, text=json.dumps(content))
    if request.url.path != "/v1/models":
        return httpx.Response(404)
    return httpx.Response(status, text=json.dumps(content))


@pytest.mark.anyio
async def test_only_what_lists_models_or_loads_one_is_found():
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        found = await detect(client, sorted(BY_PORT))

    assert [one.name for one in found] == ["llamacpp-1", "openai-2", "llamacpp-5"]
    assert [one.sight.health for one in found] == ["healthy", "healthy", "loading"]


@pytest.mark.anyio
@pytest.mark.parametrize("engine", [None, "llamacpp", "openai"])
async def test_a_server_is_asked_as_declared(engine):
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        sight = await look(client, "http://a:1", engine)

    assert sight.health == "healthy"
    assert sight.models[0].asset_id == "m"


@pytest.mark.anyio
@pytest.mark.parametrize("port", [1, 2])
async def test_a_server_that_asks_for_a_key_is_asked_with_it_once_it_is_known(port):
    presented = set()

    def with_key(request):
        presented.add(request.headers.get("authorization"))
        return answer(request) if "authorization" in request.headers else httpx.Response(401)

    async with httpx.AsyncClient(transport=httpx.MockTransport(with_key)) as client:
        sights = [await look(client, f"http://a:{port}", None, key) for key in ("", "k")]

    assert [one.health for one in sights] == ["unhealthy", "healthy"]
    assert sights[0].detail.startswith("asks for an API key (401); see api_key_env")
    assert presented == {None, "Bearer k"}
