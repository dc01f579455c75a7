"""What is learned of a real engine is what that counts itself."""

import re
import time
from collections.abc import Iterator

import httpx
import msgspec
import pytest

from gateway.rates import Learned, Rates
from gateway.reasoning import Usage, cleaned
from gateway.sse import Scanner
from gateway.timings import Timings, of_answer
from tests.integration.conftest import DEMO_MODEL, start_llama_server
from tests.processes import START_SECONDS, stop_all, wait_until

REQUESTS, TOKENS = 3, 16
# By how much a machine that is busy with other tests, too, may hold up who measures from outside.
SEEN = 5.0


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[httpx.Client]:
    """A llama-server with two slots."""
    log = tmp_path_factory.mktemp("engine") / "llama.log"
    service = start_llama_server(log, "-m", str(DEMO_MODEL), "-c", "4096", "-np", "2")
    try:
        url = f"http://127.0.0.1:{service.port()}"
        # The engine closes connections that are kept when it likes.
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=url, trust_env=False, timeout=60.0, limits=limits) as client:
            wait_until(lambda: client.get("/health").is_success, START_SECONDS, "it is loaded")
            yield client
    finally:
        stop_all([service])


def counted(engine: httpx.Client) -> tuple[float, float]:
    """Return the tokens of prompts and of answers a second since this was asked last."""
    text = engine.get("/metrics").text

    def value(name: str) -> float:
        found = re.search(rf"^llamacpp:{name} (\S+)", text, re.MULTILINE)
        assert found, text
        return float(found[1])

    return value("prompt_tokens_seconds"), value("predicted_tokens_seconds")


def body(number: int, *, stream: bool) -> bytes:
    """Return a request unlike all others, so that nothing of its prompt is cached."""
    words = f"{number} times as many " * 20
    told = {"prompt": words, "max_tokens": TOKENS, "ignore_eos": True, "stream": stream}
    if stream:
        told["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(told)


class Answer(msgspec.Struct):
    size: int
    first_s: float
    whole_s: float
    usage: Usage | None
    timings: Timings | None
    events: int = 0


def ask(engine: httpx.Client, number: int, *, stream: bool) -> Answer:
    content = body(number, stream=stream)
    began = time.monotonic()
    first_s = 0.0
    scanner = Scanner()
    events = 0
    with engine.stream("POST", "/v1/completions", content=content) as answer:
        assert answer.is_success, answer.read()
        if not stream:
            text = answer.read()
            whole_s = time.monotonic() - began
            _, usage = cleaned(text, strip=False)
            return Answer(len(content), whole_s, whole_s, usage, of_answer(text))
        for data in answer.iter_raw():
            first_s = first_s or time.monotonic() - began
            events += scanner.feed(data).count(b"\n\n")
    whole_s = time.monotonic() - began
    return Answer(len(content), first_s, whole_s, scanner.usage, scanner.timings, events)


def learn(one: Rates, answer: Answer, *, streamed: bool, timed: bool) -> None:
    if streamed:
        one.first_token(answer.size, 0.0, answer.first_s, 0.0)
    one.answered(
        answer.size,
        0,
        answer.first_s,
        answer.whole_s,
        answer.usage,
        answer.timings if timed else None,
        answer.events,
        streamed=streamed,
        now=0.0,
    )


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_learned_speeds_are_near_what_the_engine_counts(engine, streamed):
    timed, measured = Learned().rates("h/a", "m"), Learned().rates("h/a", "m")
    answers = [ask(engine, 10 + streamed * REQUESTS + n, stream=streamed) for n in range(REQUESTS)]
    for answer in answers:
        learn(timed, answer, streamed=streamed, timed=True)
        learn(measured, answer, streamed=streamed, timed=False)

    reads, writes = counted(engine)
    for one, off in ((timed, 2.0), (measured, SEEN))[: 1 + streamed]:
        assert 1 / off <= one.prefill / reads <= off
        assert 1 / off <= 1 / one.token_s(1) / writes <= off
        assert one.answer == TOKENS
    answer = answers[0]
    assert answer.usage is not None
    assert timed.prompt(answer.size) == pytest.approx(answer.usage.prompt_tokens, rel=0.2)
    mean_s = sum(answer.whole_s for answer in answers) / REQUESTS
    whole_s = measured.prefill_s(answer.size) + measured.decode_s(0, 1)
    assert 1 / SEEN <= whole_s / mean_s <= SEEN


def test_what_the_engine_says_of_a_request_is_what_it_was(engine):
    answer = ask(engine, 5, stream=True)
    again = ask(engine, 5, stream=False)

    for one in (answer, again):
        assert one.timings is not None
        assert one.usage is not None
        told = one.timings.prompt_tokens + one.timings.cached_tokens
        assert (told, one.timings.answer_tokens) == (one.usage.prompt_tokens, TOKENS)
        assert 0 < one.timings.prompt_s + one.timings.answer_s <= one.whole_s
    assert again.timings is not None
    assert again.timings.cached_tokens > again.timings.prompt_tokens
