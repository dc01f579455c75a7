"""What may hang is asked beside the loop, once at a time."""

import asyncio
import threading

import pytest

from node.machine.aside import Aside, NoAnswer


@pytest.mark.anyio
async def test_answers_and_failures_come_back():
    assert await Aside("a", lambda: 7).ask(30.0) == 7
    with pytest.raises(NoAnswer, match="breaks: ZeroDivisionError"):
        await Aside("a", lambda: 1 // 0).ask(30.0)


@pytest.mark.anyio
async def test_what_hangs_is_not_asked_twice_and_may_come_back():
    free, calls = threading.Event(), []

    def ask():
        calls.append(threading.current_thread())
        free.wait(30)
        return len(calls)

    aside = Aside("a", ask)
    for _ in range(3):
        with pytest.raises(NoAnswer, match="does not answer"):
            await aside.ask(0.01)
    assert len(calls) == 1
    assert calls[0].daemon

    free.set()
    calls[0].join(30)
    assert await aside.ask(30.0) == 2


@pytest.mark.anyio
async def test_a_system_without_room_for_a_thread_is_asked_again(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    aside = Aside("a", lambda: 7)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(NoAnswer, match="can't start new thread"):
            await aside.ask(30.0)

    assert await aside.ask(30.0) == 7


def test_a_loop_that_is_gone_bothers_nobody(recwarn):
    free, threads = threading.Event(), []

    def ask():
        threads.append(threading.current_thread())
        free.wait(30)

    async def give_up():
        with pytest.raises(NoAnswer, match="does not answer"):
            await Aside("a", ask).ask(0.01)

    asyncio.run(give_up())
    free.set()
    threads[0].join(30)

    assert not threads[0].is_alive()
    assert not recwarn
