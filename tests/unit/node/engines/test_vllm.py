"""vLLM: by what a real one said, and by a stand-in where none can be had."""

import json
import re

import httpx
import pytest

from node.engines.fingerprint import fingerprint
from node.engines.http import MAX_BODY_BYTES, new_client
from node.engines.sight import Model
from node.engines.vllm import look
from node.rolling import Rolling
from tests.engines.vllm import RECORDED, Vllm
from tests.unit.node.engines.recorded import Recorded
from tests.unit.node.engines.standing import seen

pytestmark = pytest.mark.anyio

# It chats, so that it has no other routes.
ANSWERS = {
    "/health": (200, None),
    "/v1/models": (200, "models.json"),
    "/version": (200, "version.json"),
    "/metrics": (200, "metrics_idle.txt"),
    "/v1/chat/completions": (405, "get_post_only_route.json"),
    "/v1/embeddings": (404, "missing_route.json"),
    "/v1/audio/transcriptions": (404, "missing_route.json"),
}


async def look_at(**answers):
    named = {f"/{path.replace('__', '/')}": answer for path, answer in answers.items()}
    async with Recorded("vllm", ANSWERS | named).client() as client:
        return await look(client, "http://a:1")


def recorded(file):
    return json.loads((RECORDED / file).read_text())


@pytest.mark.shows("vllm", "fingerprint", by="recorded")
async def test_it_says_what_it_is_in_its_list():
    engine = Recorded("vllm", ANSWERS)
    async with engine.client() as client:
        assert await fingerprint(client, "http://a:1") == "vllm"

    assert engine.asked == ["/v1/models"]


@pytest.mark.shows("vllm", "assets", "capabilities", "loaded", by="recorded")
async def test_the_model_is_what_its_routes_are_for():
    sight = await look_at()

    assert (sight.health, sight.engine, sight.version) == ("healthy", "vllm", "0.32.0")
    assert sight.models == (Model("smollm2-135m", True, 2048, "chat"),)
    assert sight.loads_on_request is False
    assert sight.concurrency is None


@pytest.mark.shows("vllm", "load", by="recorded")
async def test_a_busy_one_tells_how_busy():
    sight = await look_at(metrics=(200, "metrics_busy.txt"))

    assert (sight.in_flight, sight.queue_depth) == (4, 2)
    assert sight.kv_cache_utilization == pytest.approx(0.01102, rel=1e-3)


async def test_an_idle_one_tells_zero():
    sight = await look_at()

    assert (sight.in_flight, sight.queue_depth, sight.kv_cache_utilization) == (0, 0, 0)


async def test_rates_are_those_that_it_had():
    """Sixteen answers, at most four at a time; 24 ms between two tokens."""
    rolling, told = Rolling(), []
    for number, file in enumerate(("fresh", "busy", "idle")):
        sight = await look_at(metrics=(200, f"metrics_{file}.txt"))
        told.append(rolling.take(sight.counters, number * 20))

    unmeasured, busy, idle = told
    assert unmeasured.tokens_per_second is None
    assert busy.tokens_per_second == pytest.approx(45.3, abs=0.1)
    assert idle.tokens_per_second == pytest.approx(42.4, abs=0.1)
    assert idle.prompt_tokens_per_second == pytest.approx(608, abs=1)
    assert 2 < idle.latency_p50 < idle.latency_p95 < 20
    assert 0.01 < idle.first_token_p50 < idle.first_token_p95 < 10


async def test_after_a_restart_rates_are_of_what_came_since():
    rolling, told = Rolling(), []
    for number, file in enumerate(("busy", "idle", "restarted", "restarted_later")):
        sight = await look_at(metrics=(200, f"metrics_{file}.txt"))
        told.append(rolling.take(sight.counters, number * 10))

    assert told[1].tokens_per_second is not None
    assert told[2].tokens_per_second is None
    assert told[3].tokens_per_second == pytest.approx(7 / 0.1286, rel=1e-3)


async def test_metrics_of_another_thing_are_none():
    sight = await look_at(metrics=(200, "models.json"))

    assert sight.health == "healthy"
    assert (sight.in_flight, sight.queue_depth, sight.kv_cache_utilization) == (None, None, None)
    assert sight.counters is None


@pytest.mark.parametrize(
    "text",
    [
        "<html><body>not found</body></html>",
        "vllm:num_requests_running NaN\nvllm:num_requests_waiting -1\nvllm:kv_cache_usage_perc 7\n",
        'vllm:num_requests_running{engine="0" 4\nvllm:num_requests_waiting{} 0.5\n',
        "vllm:num_requests_running 1e300\nvllm:num_requests_waiting +Inf\n",
        "vllm:num_requests_running\0 4\n" * 1_000,
        "x 1\n" * ((MAX_BODY_BYTES >> 2) + 1),
    ],
    ids=["html", "no-amounts", "broken", "beyond-counting", "nul", "more-than-4-mb"],
)
async def test_metrics_that_make_no_sense_leave_load_unknown(text):
    async def answer(request):
        texts = {"/metrics": text, "/v1/models": '{"data": [{"id": "a", "owned_by": "vllm"}]}'}
        return httpx.Response(200, text=texts.get(request.url.path, ""))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        sight = await look(client, "http://a:1")

    assert sight.health == "healthy"
    assert [one.asset_id for one in sight.models] == ["a"]
    assert (sight.in_flight, sight.queue_depth, sight.kv_cache_utilization) == (None, None, None)
    assert sight.counters is None


async def test_a_dead_engine_is_unhealthy():
    sight = await look_at(health=(503, None))

    assert (sight.health, sight.detail) == ("unhealthy", "answers 503 at /health")
    assert sight.models is None


@pytest.mark.parametrize(
    ("list_answer", "detail"),
    [
        ((401, None), "asks for an API key (401)"),
        ((404, "missing_route.json"), "answers 404 at /v1/models"),
        ((200, "version.json"), "answers 200 and no list at /v1/models"),
    ],
    ids=["no-key", "no-list", "something-else"],
)
async def test_without_a_list_it_is_unhealthy(list_answer, detail):
    sight = await look_at(v1__models=list_answer)

    assert sight.health == "unhealthy"
    assert sight.detail.startswith(detail)


async def test_old_versions_have_all_routes_and_do_not_tell():
    post_only = (405, "get_post_only_route.json")
    sight = await look_at(v1__embeddings=post_only, v1__audio__transcriptions=post_only)

    assert [one.operation for one in sight.models] == [None]


@pytest.mark.shows("vllm", "loaded", by="recorded")
async def test_one_that_sleeps_looks_healthy_and_is_not():
    sight = await look_at(metrics=(200, "metrics_asleep.txt"))

    assert (sight.health, sight.detail) == ("unhealthy", "sleeps; POST /wake_up wakes it")
    assert [one.loaded for one in sight.models] == [False]


@pytest.mark.shows("vllm", "assets", "capabilities", by="stand-in")
@pytest.mark.parametrize("task", ["chat", "embeddings", "transcription"])
async def test_models_are_offered_for_their_task(task):
    async with Vllm(["a", "a-lora"], task=task) as engine:
        sight = await seen(engine)

    assert sight.models == tuple(Model(name, True, 2048, task) for name in ("a", "a-lora"))


@pytest.mark.shows("vllm", "load", "loaded", by="stand-in")
async def test_one_that_sleeps_is_not_routed_to():
    """It would not answer, and the question whether it sleeps is not one that wakes it."""
    async with Vllm() as engine:
        engine.asleep = True
        asleep = await seen(engine)
        engine.asleep = False
        awake = await seen(engine)

    assert (asleep.health, asleep.detail) == ("unhealthy", "sleeps; POST /wake_up wakes it")
    assert [one.loaded for one in asleep.models] == [False]
    assert awake.health == "healthy"
    assert {one.method for one in engine.requests} == {"GET"}


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/version", "version.json"),
        ("/load", "load_busy.json"),
        ("/v1/chat/completions", "get_post_only_route.json"),
        ("/v1/embeddings", "missing_route.json"),
    ],
)
async def test_the_stand_in_answers_as_the_real_one(path, file):
    async with Vllm(["smollm2-135m"]) as engine, new_client() as client:
        engine.running, engine.waiting = 4, 2
        answer = await client.get(engine.url + path)

    assert answer.json() == recorded(file)


@pytest.mark.parametrize(
    ("asked", "file"),
    [({"model": "nope"}, "unknown_model.json"), ({"max_tokens": -1}, "bad_request.json")],
)
async def test_the_stand_in_refuses_as_the_real_one(asked, file):
    async with Vllm(["smollm2-135m"]) as engine, new_client() as client:
        body = {"model": "smollm2-135m", "messages": [], **asked}
        answer = await client.post(f"{engine.url}/v1/chat/completions", json=body)

    assert answer.json() == recorded(file)
    assert answer.status_code == answer.json()["error"]["code"]


async def test_the_stand_in_lists_and_counts_nothing_that_the_real_one_does_not():
    families = re.compile(r"^vllm:\w+", re.MULTILINE)
    async with Vllm(["smollm2-135m"]) as engine, new_client() as client:
        engine.seconds.append(0.2)
        listed = (await client.get(f"{engine.url}/v1/models")).json()["data"][0]
        counted = (await client.get(f"{engine.url}/metrics")).text

    assert listed.keys() <= recorded("models.json")["data"][0].keys()
    real = (RECORDED / "metrics_idle.txt").read_text()
    assert set(families.findall(counted)) <= set(families.findall(real))


async def test_without_metrics_load_is_unknown():
    async with Vllm(metrics=False) as engine:
        sight = await seen(engine)

    assert sight.health == "healthy"
    assert (sight.in_flight, sight.queue_depth, sight.counters) == (None, None, None)


async def test_several_engines_behind_one_door_are_added_up():
    async def answer(request):
        texts = {
            "/metrics": 'vllm:num_requests_running{engine="0"} 3\n'
            'vllm:num_requests_running{engine="1"} 2\n'
            'vllm:gpu_cache_usage_perc{engine="0"} 0.25\n'
            'vllm:gpu_cache_usage_perc{engine="1"} 0.75\n',
            "/v1/models": '{"data": [{"id": "a", "owned_by": "vllm"}]}',
        }
        return httpx.Response(200, text=texts.get(request.url.path, ""))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        sight = await look(client, "http://a:1")

    assert sight.in_flight == 5
    assert sight.kv_cache_utilization == 0.75


async def test_a_question_that_is_not_answered_changes_no_models():
    async def answer(request):
        if request.url.path == "/v1/embeddings":
            raise httpx.ReadTimeout("late")
        text = '{"data": [{"id": "a", "owned_by": "vllm"}]}'
        return httpx.Response(200, text=text)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        sight = await look(client, "http://a:1")

    assert (sight.health, sight.models) == ("healthy", None)
