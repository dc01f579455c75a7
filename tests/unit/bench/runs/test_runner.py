"""Runs against a scripted engine: what is asked, what is noted, and when a run ends."""

import asyncio
import time

import httpx
import pytest

from bench.runs import asking, runner
from bench.runs.asking import Question, ask
from bench.runs.runner import FAILURES_IN_A_ROW, Plan, Progress
from bench.runs.workload import Workload
from tests.fakes import answers
from tests.fakes.answers import Close, Hang, Pause
from tests.fakes.engine import Engine, openai

CHAT = Workload.model_validate(
    {
        "workload": "chat.w",
        "operation": "chat",
        "cases": [
            {"case": "a", "prompt": "A?", "expect": {"contains_any": ["word"]}},
            {"case": "b", "prompt": "B?", "expect": {"contains_any": ["never said"]}},
        ],
    }
)
EMBEDDINGS = Workload.model_validate(
    {
        "workload": "embeddings.w",
        "operation": "embeddings",
        "cases": [{"case": "a", "input": ["one", "two"], "expect": {"dimensions_at_least": 4}}],
    }
)
WHO = [("x-geniehive-service", "h1/s%20x"), ("x-geniehive-asset", "small:1b")]


def attributed(parts):
    """Return a stream whose head says who answered."""
    headers = [("Content-Type", "text/event-stream"), *WHO]
    return answers.chunked(parts, headers=headers)


async def asked(script, workload=CHAT, case=0, deadline=5.0, service_id=""):
    async with Engine(script) as engine, runner.client(engine.url, None, 1) as client:
        question = Question("mentor", workload, workload.cases[case], 0)
        return await ask(client, question, deadline, service_id)


async def ran(script, plan, stop=None):
    progress, told = Progress(plan.size), []
    async with Engine(script) as engine, runner.client(engine.url, "k", plan.concurrency) as client:
        await runner.run(client, plan, progress, stop or asyncio.Event(), told.append)
        assert len(told) <= plan.size
        return progress, engine


def dying_after(count):
    """Return the script of an engine that closes every connection after so many answers."""
    left = iter(range(count))
    good = openai(["mentor"])
    return lambda request: [Close()] if next(left, None) is None else good(request)


@pytest.mark.anyio
async def test_a_chat_is_timed_and_judged_and_attributed():
    events = answers.completion_events(["word ", "word"], "qwen.gguf", with_usage=True)
    found = await asked(lambda _: attributed(events))

    assert (found.service_id, found.asset_id) == ("h1/s x", "small:1b")
    assert (found.failure, found.fault, found.passed) == ("", "", True)
    assert (found.prompt_tokens, found.completion_tokens, found.counted) == (7, 2, False)
    assert found.first_byte_ms <= found.ttft_ms <= found.latency_ms
    assert len(found.gaps_ms) == 1


@pytest.mark.anyio
async def test_without_usage_tokens_are_counted_and_the_model_says_the_asset():
    found = await asked(openai(["mentor"], words=3), service_id="direct")

    assert (found.service_id, found.asset_id) == ("direct", "mentor")
    plain = answers.completion_events(["a ", "b "], "mentor")
    found = await asked(lambda _: answers.events(plain))
    assert (found.completion_tokens, found.counted, found.service_id) == (2, True, "")


@pytest.mark.anyio
async def test_reasoning_that_is_counted_and_not_seen_does_not_make_a_model_fast():
    def script(_):
        first, *rest = answers.completion_events(["a ", "b ", "c"], "m")
        usage = {"completion_tokens": 103, "completion_tokens_details": {"reasoning_tokens": 100}}
        told = answers.data({"choices": [], "usage": usage})
        return answers.events([first, *rest[:-1], told, rest[-1]], 0.01)

    found = await asked(script)

    assert (found.completion_tokens, found.decoded_tokens) == (103, 3)
    assert found.tokens_per_sec < 300


@pytest.mark.anyio
async def test_embeddings_are_judged_whole():
    found = await asked(openai(["mentor"]), EMBEDDINGS)

    assert found.passed
    assert (found.ttft_ms, found.completion_tokens, found.prompt_tokens) == (None, None, 2)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "fault"),
    [([], "empty"), ([answers.data({"choices": [{"delta": {"content": None}}]})], "empty")],
)
async def test_an_answer_without_visible_words_never_passes(content, fault):
    end = answers.data({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    found = await asked(lambda _: answers.events([*content, end, answers.data("[DONE]")]))

    assert (found.failure, found.fault) == ("", fault)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (answers.document({"error": {"code": "all_busy"}}, 503), "all_busy"),
        (answers.whole(b"<html>", 502), "http_502"),
        (answers.document([1], 500), "http_500"),
        (answers.events([answers.data("nonsense")]), "bad_answer"),
        (answers.cut(answers.events(answers.completion_events(["a"], "m")), 200, Close()), None),
        ([Hang()], "timeout"),
        ([Close()], "connection_lost"),
    ],
    ids=["busy", "html", "list", "nonsense", "cut", "hang", "close"],
)
async def test_what_goes_wrong_is_told_in_one_word(answer, word):
    found = await asked(lambda _: answer, deadline=0.3)

    assert found.failure == (word or "connection_lost")
    assert not found.passed
    assert found.latency_ms > 0


@pytest.mark.anyio
async def test_an_engine_that_is_asked_directly_fails_itself():
    assert (await asked(lambda _: [Close()], service_id="direct")).service_id == "direct"
    assert (await asked(lambda _: [Close()])).service_id == ""


@pytest.mark.anyio
async def test_a_stream_that_ends_before_its_time_is_no_answer():
    events = answers.completion_events(["a ", "b "], "m")[:2]
    assert (await asked(lambda _: answers.events(events))).failure == "cut_off"


@pytest.mark.anyio
async def test_an_answer_without_end_is_cut(monkeypatch):
    monkeypatch.setattr(asking, "MAX_BYTES", 1_000)
    events = [answers.data({"choices": [{"delta": {"content": "a" * 100}}]})] * 50
    assert (await asked(lambda _: answers.events(events))).failure == "answer_too_large"


@pytest.mark.anyio
async def test_every_case_is_asked_as_often_as_was_said_and_no_more_at_a_time():
    most = 0

    def script(request):
        nonlocal most
        most = max(most, engine_of.in_flight)
        return [Pause(0.01), *openai(["mentor"])(request)]

    plan = Plan("mentor", [CHAT], concurrency=3, repeats=5, warmups=1)
    progress = Progress(plan.size)
    async with Engine(script) as engine_of, runner.client(engine_of.url, "k", 3) as client:
        await runner.run(client, plan, progress, asyncio.Event(), lambda _: None)
        keys = {request.header("authorization") for request in engine_of.requests}
        count = len(engine_of.requests)

    assert (len(progress.records), count, progress.stopped) == (10, 11, "")
    assert [sum(one.case == case for one in progress.records) for case in "ab"] == [5, 5]
    assert most <= 3
    assert keys == {"Bearer k"}


@pytest.mark.anyio
async def test_one_failure_does_not_end_a_run():
    count = 0

    def script(request):
        nonlocal count
        count += 1
        return answers.failure(500, "no") if count == 4 else openai(["mentor"])(request)

    progress, _ = await ran(script, Plan("mentor", [CHAT], repeats=5))

    assert len(progress.records) == 10
    assert sum(not one.answered for one in progress.records) == 1
    assert progress.stopped == ""


@pytest.mark.anyio
async def test_a_target_that_dies_half_way_ends_the_run_and_what_it_did_stays():
    progress, _ = await ran(dying_after(5), Plan("mentor", [CHAT], repeats=50))

    assert sum(one.answered for one in progress.records) == 4
    assert len(progress.records) == 4 + FAILURES_IN_A_ROW
    assert "connection_lost" in progress.stopped


@pytest.mark.anyio
async def test_a_target_that_is_dead_at_the_end_is_told_too():
    progress, _ = await ran(dying_after(4), Plan("mentor", [CHAT], repeats=3))

    assert len(progress.records) == 6
    assert progress.stopped == "the last 3 requests failed (connection_lost)"


@pytest.mark.anyio
async def test_the_slowest_of_several_at_a_time_do_not_make_a_target_dead():
    """They come last, so that a few of them look like an end."""
    slow = iter([True] * 4)

    def script(request):
        return [Hang()] if next(slow, False) else openai(["mentor"])(request)

    plan = Plan("mentor", [CHAT], concurrency=4, repeats=4, warmups=0, deadline=0.5)
    progress, _ = await ran(script, plan)

    assert sum(one.failure == "timeout" for one in progress.records) == 4
    assert (len(progress.records), progress.stopped) == (8, "")


@pytest.mark.anyio
async def test_a_name_that_nobody_knows_is_asked_for_once():
    refusal = answers.document({"error": {"code": "model_not_found"}}, 404)
    progress, engine = await ran(lambda _: refusal, Plan("mentor", [CHAT], repeats=9))

    assert len(engine.requests) == 1
    assert progress.stopped == "the first request failed (model_not_found)"


@pytest.mark.anyio
async def test_a_run_that_is_interrupted_keeps_what_it_has():
    stop = asyncio.Event()

    def script(request):
        if len(request.body) and b"B?" in request.body:
            stop.set()
            return [Hang()]
        return openai(["mentor"])(request)

    progress, _ = await ran(script, Plan("mentor", [CHAT], repeats=3), stop)

    assert progress.stopped == "interrupted"
    assert [one.case for one in progress.records] == ["a"]


@pytest.mark.anyio
async def test_a_gateway_that_is_not_there_is_asked_once():
    plan = Plan("mentor", [CHAT])
    progress = Progress(plan.size)
    async with runner.client("http://127.0.0.1:1", None, 1) as client:
        assert isinstance(client, httpx.AsyncClient)
        await runner.run(client, plan, progress, asyncio.Event(), lambda _: None)

    assert [one.failure for one in progress.records] == ["unreachable"]


@pytest.mark.anyio
async def test_a_gateway_that_is_away_has_time_to_come_back(monkeypatch):
    monkeypatch.setattr(runner, "AWAY_SECONDS", 0.05)
    plan = Plan("mentor", [CHAT], repeats=5, warmups=0)
    progress, began = Progress(plan.size), time.monotonic()
    async with runner.client("http://127.0.0.1:1", None, 1) as client:
        await runner.run(client, plan, progress, asyncio.Event(), lambda _: None)

    assert progress.stopped == "the last 5 requests failed (unreachable)"
    assert time.monotonic() - began >= 4 * 0.05


@pytest.mark.anyio
async def test_a_warmup_that_fails_is_the_last_one():
    plan = Plan("mentor", [CHAT], repeats=2, warmups=100, deadline=0.1)
    _, engine = await ran(lambda _: [Hang()], plan)

    assert len(engine.requests) == 1 + plan.size


@pytest.mark.anyio
async def test_counts_that_nobody_can_believe_are_not_believed():
    def script(_):
        usage = {"prompt_tokens": 10**400, "completion_tokens": 10**12}
        told = answers.data({"choices": [], "usage": usage})
        *events, done = answers.completion_events(["a ", "b ", "c"], "m")
        return answers.events([*events, told, done], 0.01)

    found = await asked(script)

    assert (found.prompt_tokens, found.completion_tokens, found.counted) == (None, 3, True)
    assert found.tokens_per_sec < 300
