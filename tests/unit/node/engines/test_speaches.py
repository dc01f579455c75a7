import httpx
import pytest

from node.engines.fingerprint import fingerprint
from node.engines.http import new_client
from node.engines.sight import Model
from node.engines.speaches import look
from tests.engines.speaches import Speaches
from tests.unit.node.engines.standing import seen

pytestmark = pytest.mark.anyio

SMALL, TINY = "Systran/faster-whisper-small", "Systran/faster-whisper-tiny"
KOKORO = "speaches-ai/Kokoro-82M-v1.0-ONNX"


async def answered(texts, status=200):
    async def answer(request):
        text = texts.get(request.url.path)
        return httpx.Response(404 if text is None else status, text=text or "")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        return await look(client, "http://a:1")


def hears(name, loaded):
    return Model(name, loaded, operation="transcription", modality="audio")


@pytest.mark.shows("speaches", "assets", "capabilities", "loaded", by="stand-in")
async def test_what_hears_is_offered_and_what_speaks_is_not():
    async with Speaches([SMALL, TINY], voices=[KOKORO]) as engine:
        engine.loaded = [TINY, KOKORO]
        sight = await seen(engine)

    assert (sight.health, sight.engine) == ("healthy", "speaches")
    assert sight.models == (hears(SMALL, False), hears(TINY, True))
    assert sight.loads_on_request is True


@pytest.mark.shows("speaches", "fingerprint", by="stand-in")
@pytest.mark.parametrize("tasks", [True, False], ids=["now", "before"])
@pytest.mark.parametrize("models", [(), (SMALL,)], ids=["empty", "one"])
async def test_it_is_no_ollama_since_it_names_what_runs_by_strings(models, tasks):
    async with Speaches(models, tasks=tasks) as engine, new_client() as client:
        engine.loaded = list(models)
        assert await fingerprint(client, engine.url) == "speaches"

    assert {one.method for one in engine.requests} == {"GET"}


async def test_what_is_unloaded_is_told_the_next_time():
    async with Speaches([SMALL]) as engine:
        engine.loaded = [SMALL]
        assert [one.loaded for one in (await seen(engine)).models] == [True]
        engine.loaded = []
        assert [one.loaded for one in (await seen(engine)).models] == [False]

    assert {one.method for one in engine.requests} == {"GET"}


async def test_old_ones_tell_no_task_and_hear():
    async with Speaches([SMALL], tasks=False) as engine:
        sight = await seen(engine)

    assert sight.models == (hears(SMALL, False),)


@pytest.mark.parametrize(
    "running", [None, "no", "{}", '{"models": {}}'], ids=["404", "text", "empty", "no-list"]
)
async def test_what_is_in_memory_may_be_unknown(running):
    listed = {"/v1/models": f'{{"data": [{{"id": "{SMALL}"}}]}}'}
    sight = await answered(listed | ({} if running is None else {"/api/ps": running}))

    assert sight.models == (hears(SMALL, None),)


async def test_names_in_memory_that_make_no_sense_are_left_out():
    texts = {
        "/v1/models": f'{{"data": [{{"id": "{SMALL}", "task": []}}, {{"id": "{TINY}"}}, 3]}}',
        "/api/ps": f'{{"models": [null, {{"name": "x"}}, "{TINY}"]}}',
    }

    assert (await answered(texts)).models == (hears(TINY, True),)


@pytest.mark.parametrize(("status", "text"), [(500, "oops"), (200, "<html>"), (200, "[]")])
async def test_without_a_list_it_is_unhealthy(status, text):
    assert (await answered({"/v1/models": text}, status)).health == "unhealthy"
