"""A trace that is really sent: to an engine of a test, within a second."""

import asyncio
import math
import time

import pytest

from bench.replay import client
from bench.replay.arrivals import Arrival
from bench.replay.client import Asking, Run, Sent, opened, seen, send
from tests.fakes import answers
from tests.fakes.engine import Engine, openai


async def sent(script, count=4, deadline_s=5.0):
    """Return what became of so many requests, a hundredth of a second apart, and the engine."""
    arrivals = [Arrival(number, number / 100, 5, 3, ()) for number in range(count)]
    run = Run(count)
    async with Engine(script) as engine, opened(engine.url, "key") as http:
        asking = Asking(http, "m", deadline_s)
        await send(asking, arrivals, run, lambda _: None, time.monotonic)
        return run, list(engine.requests)


def told(*headers, comment=b""):
    """Return the script of a gateway that tells how a request waited."""

    def script(_):
        events = answers.completion_events(["a ", "b "], "m", with_usage=True)
        kind = ("Content-Type", "text/event-stream")
        return answers.chunked([comment, *events] if comment else events, headers=[kind, *headers])

    return script


@pytest.mark.anyio
async def test_requests_are_sent_when_they_are_due_and_heard_to_their_end():
    run, requests = await sent(openai(["m"], words=3))
    found = seen(run)

    assert (found.sent, found.answered, found.errors) == (4, 4, {})
    assert 0 < found.ttft_p50 <= found.whole_p50
    assert run.under_way == 0
    assert all(one.late >= 0 for one in run.over)
    assert [one.json()["max_tokens"] for one in requests] == [3] * 4
    assert requests[0].header("authorization") == "Bearer key"


@pytest.mark.parametrize(
    ("first", "whole", "failure", "good"),
    [
        (2.5, 2.9, "", True),  # 2 s, and half a second for 1,000 tokens; 0.2 s for each token
        (2.6, 2.9, "", False),
        (2.5, 3.0, "", False),
        (2.5, 2.9, "cut_off", False),
    ],
)
def test_an_answer_is_good_that_begins_and_goes_on_in_time(first, whole, failure, good):
    arrival = Arrival(0, 0, 1_000, 3, ())
    one = Sent(arrival, first=first, whole=whole, tokens=3, failure=failure)

    assert one.good is good
    assert seen(Run(1, [one])).goodput == good


@pytest.mark.anyio
async def test_the_next_one_is_sent_whatever_becomes_of_those_before():
    def silent(_):
        return [answers.Hang()]

    run, requests = await sent(silent, deadline_s=1.0)

    assert len(requests) == 4
    assert seen(run).errors == {"timeout": 4}


@pytest.mark.anyio
async def test_what_the_gateway_tells_of_waiting_is_counted():
    script = told(
        ("X-GenieHive-Queue-Position", "3"),
        ("X-GenieHive-Queue-Ms", "1500"),
        ("X-GenieHive-Service", "h%201/s"),
        comment=b": waiting, position 3, about 12 s\n\n",
    )
    run, _ = await sent(script)
    found = seen(run)

    assert (found.waited, found.wait_p50) == (4, 1.5)
    assert found.services == {"h 1/s": 4}


@pytest.mark.anyio
@pytest.mark.parametrize("said", ["x", "nan", "-1", "1e99"])
async def test_what_cannot_be_is_not_believed(said):
    script = told(("X-GenieHive-Queue-Position", said), ("X-GenieHive-Queue-Ms", said))
    run, _ = await sent(script, count=1)

    assert seen(run).answered == 1
    assert run.over[0].position == 0
    assert math.isnan(run.over[0].waited)


@pytest.mark.anyio
async def test_errors_are_counted_by_their_code():
    codes = iter(["all_busy", "all_busy", "x"])

    def script(_):
        if (code := next(codes)) == "x":
            return answers.whole(b"<html>", 502)
        return answers.document({"error": {"code": code}}, 429)

    run, _ = await sent(script, count=3)

    assert seen(run).errors == {"all_busy": 2, "http_502": 1}
    assert seen(run).goodput == 0


@pytest.mark.anyio
async def test_nobody_is_asked_where_nobody_listens():
    run = Run(1)
    async with opened("http://127.0.0.1:1", None) as http:
        await send(Asking(http, "m", 5), [Arrival(0, 0, 1, 1, ())], run, print, time.monotonic)

    assert seen(run).errors == {"unreachable": 1}
    assert seen(run).document()["ttft_p50"] is None


@pytest.mark.anyio
async def test_who_falls_too_far_behind_is_told_and_not_sent(monkeypatch):
    monkeypatch.setattr(client, "MOST_UNDER_WAY", 1)

    def silent(_):
        return [answers.Hang()]

    run, requests = await sent(silent, deadline_s=1.0)

    assert len(requests) == 1
    assert seen(run).errors == {"not_sent": 3, "timeout": 1}


@pytest.mark.anyio
async def test_a_replay_that_is_cancelled_keeps_what_it_has():
    run = Run(2)
    async with Engine(openai(["m"])) as engine, opened(engine.url, None) as http:
        arrivals = [Arrival(0, 0, 5, 3, ()), Arrival(1, 60, 5, 3, ())]
        over = asyncio.Event()
        task = asyncio.create_task(
            send(Asking(http, "m", 5), arrivals, run, lambda _: over.set(), time.monotonic)
        )
        await over.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert [one.failure for one in run.over] == [""]
