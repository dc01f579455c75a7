import httpx
import pytest

from node.engines.fingerprint import fingerprint
from node.engines.http import new_client
from node.engines.sglang import look
from node.engines.sight import Model
from tests.engines.sglang import Sglang
from tests.unit.node.engines.standing import seen

pytestmark = pytest.mark.anyio


async def answered(texts, status=200):
    async def answer(request):
        text = texts.get(request.url.path)
        return httpx.Response(404 if text is None else status, text=text or "")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        return await look(client, "http://a:1")


@pytest.mark.shows("sglang", "assets", "capabilities", "loaded", by="stand-in")
@pytest.mark.parametrize("task", ["chat", "embeddings"])
@pytest.mark.parametrize("old", [False, True], ids=["now", "before"])
async def test_the_model_is_what_the_server_says(task, old):
    async with Sglang(["qwen3"], task=task, old=old, slots=8) as engine:
        sight = await seen(engine)

    assert (sight.health, sight.engine, sight.version) == ("healthy", "sglang", "0.5.23")
    assert sight.models == (Model("qwen3", True, 32_768, task),)
    assert sight.concurrency == 8
    assert sight.loads_on_request is False


@pytest.mark.shows("sglang", "fingerprint", by="stand-in")
async def test_it_is_no_ollama_whatever_paths_it_serves():
    async with Sglang() as engine, new_client() as client:
        assert await fingerprint(client, engine.url) == "sglang"

    assert engine.paths() == ["GET /v1/models"]


async def test_looking_generates_nothing():
    async with Sglang() as engine:
        await seen(engine, "sglang")

    assert engine.generated == 0
    paths = ["GET /v1/models", "GET /model_info", "GET /server_info", "GET /metrics"]
    assert sorted(engine.paths()) == sorted(paths)


@pytest.mark.shows("sglang", "load", by="stand-in")
@pytest.mark.parametrize("ranks", [1, 4])
async def test_load_counts_once_however_many_ranks_tell_it(ranks):
    async with Sglang(ranks=ranks) as engine:
        engine.running, engine.waiting = 3, 2
        sight = await seen(engine)

    assert (sight.in_flight, sight.queue_depth) == (3, 2)
    assert sight.kv_cache_utilization == pytest.approx(0.06)


async def test_what_was_answered_is_counted():
    async with Sglang(words=8) as engine:
        before = await seen(engine)
        engine.seconds += [0.4, 0.4]
        after = await seen(engine)

    assert before.counters is None
    assert (after.counters.generated_tokens, after.counters.generation_seconds) == (16, 0.8)
    assert after.counters.latency.counts[-1] == 2
    assert after.counters.prompt_tokens is None


async def test_without_metrics_load_is_unknown():
    async with Sglang(metrics=False) as engine:
        sight = await seen(engine)

    assert sight.health == "healthy"
    assert (sight.in_flight, sight.queue_depth, sight.counters) == (None, None, None)


@pytest.mark.parametrize(
    "states",
    ["[]", "{}", '[{"effective_max_running_requests_per_dp": -1}]', "[1]", "null"],
)
async def test_what_makes_no_sense_of_its_schedulers_is_unknown(states):
    sight = await answered(
        {
            "/v1/models": '{"data": [{"id": "a"}]}',
            "/model_info": '{"is_generation": "yes"}',
            "/server_info": f'{{"internal_states": {states}, "version": 5}}',
            "/metrics": "sglang:token_usage 7\nsglang:num_running_reqs -1\n",
        }
    )

    assert sight.health == "healthy"
    assert [one.operation for one in sight.models] == [None]
    assert (sight.concurrency, sight.version, sight.in_flight) == (None, None, None)
    assert sight.kv_cache_utilization is None


async def test_several_schedulers_take_the_sum():
    each = '{"effective_max_running_requests_per_dp": 52}'
    sight = await answered(
        {
            "/v1/models": '{"data": [{"id": "a"}]}',
            "/server_info": f'{{"internal_states": [{each}, {each}]}}',
        }
    )

    assert sight.concurrency == 104


@pytest.mark.parametrize(
    ("status", "text", "detail"),
    [
        (500, "oops", "answers 500 at /v1/models"),
        (200, "<html>", "answers 200 and no list at /v1/models"),
        (403, "no", "asks for an API key (403)"),
    ],
)
async def test_without_a_list_it_is_unhealthy(status, text, detail):
    sight = await answered({"/v1/models": text}, status)

    assert sight.health == "unhealthy"
    assert sight.detail.startswith(detail)
