import asyncio
import socket

import pytest

from control.probing.names import Names

pytestmark = pytest.mark.anyio


class Resolver:
    """Answers when a test lets it."""

    def __init__(self, loop, monkeypatch, answer=("192.0.2.7", "192.0.2.7", "2001:db8::7")):
        self.asked, self.free, self.answer = [], asyncio.Event(), answer
        monkeypatch.setattr(loop, "getaddrinfo", self.getaddrinfo)

    async def getaddrinfo(self, host, port, *, type):
        self.asked.append(host)
        await self.free.wait()
        if not self.answer:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [(None, type, 6, "", (one, 0)) for one in self.answer]


async def test_an_address_is_its_own():
    assert await Names().addresses("127.0.0.1") == ["127.0.0.1"]
    assert await Names().addresses("::1") == ["::1"]


async def test_a_name_is_looked_up():
    assert set(await Names().addresses("localhost")) <= {"127.0.0.1", "::1"}


async def test_a_name_that_is_never_answered_is_asked_for_once(monkeypatch):
    """Else a name server that is away fills the memory, a look-up for each probe."""
    names, resolver = Names(), Resolver(asyncio.get_running_loop(), monkeypatch)
    for _ in range(100):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await names.addresses("slow.example")
    waiting = asyncio.ensure_future(names.addresses("slow.example"))
    await asyncio.sleep(0)
    under_way = len(names)
    resolver.free.set()

    assert await waiting == ["192.0.2.7", "2001:db8::7"]
    assert (resolver.asked, under_way, len(names)) == (["slow.example"], 1, 0)


async def test_what_nobody_knows_is_told_to_all_who_wait(monkeypatch):
    names, resolver = Names(), Resolver(asyncio.get_running_loop(), monkeypatch, answer=())
    waiting = [asyncio.ensure_future(names.addresses("gone.example")) for _ in range(2)]
    await asyncio.sleep(0)
    resolver.free.set()
    told = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(one) for one in told] == [socket.gaierror] * 2
    assert len(names) == 0
