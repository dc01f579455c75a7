import asyncio

import pytest

from gateway.inbox import Inbox

pytestmark = pytest.mark.anyio


class Script:
    """A stream that tells what a test puts in; an error is raised."""

    def __init__(self):
        self.messages = asyncio.Queue()
        self.cancelled = False

    async def read(self):
        message = await self.messages.get()
        if isinstance(message, Exception):
            raise message
        return message

    def cancel(self):
        self.cancelled = True


@pytest.fixture
async def stream():
    return Script()


async def test_a_message_that_comes_later_is_not_lost(stream):
    inbox = Inbox(stream)

    assert await inbox.receive(0.001) is None
    stream.messages.put_nowait("a")
    stream.messages.put_nowait("b")
    assert await inbox.receive(10) == "a"
    assert await inbox.receive() == "b"


async def test_a_hurry_ends_the_wait(stream):
    inbox, hurry = Inbox(stream), asyncio.Event()
    hurry.set()

    assert await inbox.receive(3600, hurry) is None
    stream.messages.put_nowait("a")
    assert await inbox.receive(3600) == "a"


async def test_the_end_is_told(stream):
    stream.messages.put_nowait(ConnectionResetError("gone"))

    with pytest.raises(ConnectionResetError):
        await Inbox(stream).receive(10)


@pytest.mark.parametrize("message", [None, ConnectionResetError("gone")], ids=["idle", "ended"])
async def test_closing_gives_the_stream_up_whatever_it_is_doing(stream, message):
    inbox = Inbox(stream)
    await inbox.receive(0)
    if message is not None:
        stream.messages.put_nowait(message)
        await asyncio.sleep(0.01)
    await inbox.close()

    assert stream.cancelled
