"""What a terminal sees while a run goes on."""

import asyncio
import io
import signal
import sys

import pytest

from bench.runs import session
from bench.runs.runner import Plan
from bench.runs.workload import Workload
from cli.output import Output
from tests.fakes.engine import Engine, openai

CHAT = Workload.model_validate(
    {
        "workload": "chat.w",
        "operation": "chat",
        "cases": [{"case": "a", "prompt": "A?"}, {"case": "b", "prompt": "B?"}],
    }
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


async def measured(monkeypatch, stream, output, *targets):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    async with Engine(openai(["m", "n"])) as engine:
        plans = [Plan(target, [CHAT]) for target in targets]
        return await session.measure(engine.url, None, plans, output)


@pytest.mark.anyio
async def test_a_terminal_has_one_line_that_is_drawn_over(monkeypatch):
    stream = Terminal()
    (done,) = await measured(monkeypatch, stream, Output(), "m")

    first, *_, last = stream.getvalue().strip("\r").split("\r")
    assert first.startswith("[--------------]  0/2  ok 0")
    assert last.startswith("[##############]  2/2  ok 2  TTFT p50 ")
    assert stream.getvalue().count("\n") == 1
    assert len(last.rstrip("\n")) == 99
    assert len(done.records) == 2


@pytest.mark.anyio
async def test_several_targets_are_named_and_one_that_is_dead_keeps_none_waiting(monkeypatch):
    stream = Terminal()
    first, second = await measured(monkeypatch, stream, Output(), "nobody", "n")

    assert first.records[0].failure != ""
    assert "\rn  [##############]  2/2" in stream.getvalue()
    assert second.stopped == ""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("stream", "output"),
    [
        (io.StringIO(), Output()),
        (Terminal(), Output(quiet=True)),
        (Terminal(), Output(as_json=True)),
    ],
    ids=["pipe", "quiet", "json"],
)
async def test_nothing_is_drawn_where_nobody_looks(monkeypatch, stream, output):
    await measured(monkeypatch, stream, output, "m")
    assert stream.getvalue() == ""


@pytest.mark.anyio
async def test_a_gateway_that_is_away_is_not_asked_for_each_target():
    plans = [Plan(target, [CHAT]) for target in "mn"]
    done = await session.measure("http://127.0.0.1:1", None, plans, Output(quiet=True))

    assert [one.stopped for one in done] == ["the first request failed (unreachable)"]


def test_a_second_interrupt_ends_what_never_lets_the_loop_run():
    async def busy():
        stop = asyncio.Event()
        with session.stopping(stop):
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)
            assert stop.is_set()
            signal.raise_signal(signal.SIGINT)  # as if in the middle of a pattern
            pytest.fail("nothing was ended")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(busy())
    assert signal.getsignal(signal.SIGINT) is before
