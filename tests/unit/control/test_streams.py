import asyncio
from contextlib import aclosing

import pytest

from control.streams import interleaved

pytestmark = pytest.mark.anyio


class Peer:
    """Sends what a test gives it, and notes when it was closed."""

    def __init__(self):
        self.queue = asyncio.Queue()
        self.closed = False

    async def messages(self):
        try:
            while (message := await self.queue.get()) is not None:
                yield message
        finally:
            self.closed = True


async def test_messages_and_wakes_come_as_they_happen():
    peer, wake = Peer(), asyncio.Event()
    async with aclosing(interleaved(peer.messages(), wake)) as events:
        peer.queue.put_nowait("a")
        assert await anext(events) == "a"
        wake.set()
        assert await anext(events) is None
        wake.clear()
        peer.queue.put_nowait("b")
        assert await anext(events) == "b"


async def test_it_ends_with_the_messages():
    peer = Peer()
    peer.queue.put_nowait("a")
    peer.queue.put_nowait(None)

    assert [event async for event in interleaved(peer.messages(), asyncio.Event())] == ["a"]


async def test_silence_is_told_too():
    peer = Peer()
    async with aclosing(interleaved(peer.messages(), asyncio.Event(), every=0.01)) as events:
        assert [await anext(events) for _ in range(3)] == [None, None, None]
        peer.queue.put_nowait("late")
        while (event := await anext(events)) is None:
            pass
        assert event == "late"


async def test_an_error_of_the_peer_is_raised():
    async def broken():
        yield "a"
        raise ValueError("no message")

    events = interleaved(broken(), asyncio.Event())
    assert await anext(events) == "a"
    with pytest.raises(ValueError, match="no message"):
        await anext(events)


async def test_leaving_early_stops_reading():
    before = asyncio.all_tasks()
    peer, wake = Peer(), asyncio.Event()
    async with aclosing(interleaved(peer.messages(), wake)) as events:
        wake.set()
        await anext(events)

    assert peer.closed
    assert asyncio.all_tasks() <= before  # those of other tests may have ended meanwhile


async def test_a_cancelled_reader_stops_reading():
    before = asyncio.all_tasks()
    peer = Peer()

    async def follow():
        async with aclosing(interleaved(peer.messages(), asyncio.Event())) as events:
            async for _ in events:
                pass

    task = asyncio.ensure_future(follow())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    assert asyncio.all_tasks() <= before  # those of other tests may have ended meanwhile
