import httpx
import pytest

from node.engines.fingerprint import fingerprint
from node.engines.http import new_client
from node.engines.whispercpp import look
from tests.engines.whispercpp import WhisperCpp
from tests.unit.node.engines.standing import seen

pytestmark = pytest.mark.anyio


@pytest.mark.shows("whispercpp", "assets", by="stand-in")
@pytest.mark.parametrize("old", [False, True], ids=["now", "before"])
async def test_what_is_declared_for_it_stands(old):
    async with WhisperCpp(old=old) as engine:
        sight = await seen(engine, "whispercpp")

    assert (sight.health, sight.engine, sight.models) == ("healthy", "whispercpp", None)
    assert sight.loads_on_request is True
    assert engine.paths() == ["GET /", "GET /health"]


@pytest.mark.shows("whispercpp", "fingerprint", by="stand-in")
async def test_its_page_tells_what_has_no_list():
    async with WhisperCpp() as engine, new_client() as client:
        assert await fingerprint(client, engine.url) == "whispercpp"

    assert engine.paths() == ["GET /v1/models", "GET /"]


@pytest.mark.shows("whispercpp", "loaded", by="stand-in")
async def test_one_that_loads_says_so():
    async with WhisperCpp() as engine:
        engine.loading = True
        sight = await seen(engine)

    assert (sight.health, sight.detail) == ("loading", "loading its model")


async def test_one_that_fails_is_unhealthy():
    async def answer(request):
        return httpx.Response(500, text="oops")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        sight = await look(client, "http://a:1")

    assert (sight.health, sight.detail) == ("unhealthy", "answers 500 at /")
