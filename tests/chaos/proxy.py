"""A TCP proxy whose network can be broken while connections run through it."""

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.chaos import faults
from tests.chaos.faults import Fault
from tests.fakes.answers import Close, Hang, Pause, Reset, Send

CHUNK = 64 << 10


class FaultProxy:
    """Listens on a port of the kernel's choice and passes bytes on to `target` and back.

    target: the port on this machine that new connections go to; may change at any time.
    Both directions obey `fault`.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._fault: Fault = faults.clear
        self._changed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop
        self._server: asyncio.Server
        self._links: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections run through it now."""
        return len(self._links)

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        """Break or mend the network, from any thread; what hangs goes by the new fault."""
        self._fault = fault
        self._loop.call_soon_threadsafe(self._wake)

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for link in list(self._links):
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        writers = [writer]
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            writers.append(far_writer)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far_writer))
                group.create_task(self._pump(far_reader, writer))
        except* (OSError, _Broken) as broken:
            if broken.subgroup(_Broken):
                for one in writers:
                    _linger_for_nothing(one)
        except* asyncio.CancelledError:
            pass  # the proxy stops; nobody waits for this link
        finally:
            for one in writers:
                one.transport.abort()
            self._links.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction until its end; the other one may go on."""
        passed = 0
        while True:
            data = await reader.read(CHUNK)
            if await self._carry(data, passed, writer):
                with suppress(OSError):
                    writer.write_eof()
                return
            passed += len(data)

    async def _carry(self, data: bytes, at: int, writer: asyncio.StreamWriter) -> bool:
        """Carry one chunk and return whether the direction ends with it.

        Raises:
            _Broken: the fault resets the connection.
        """
        while True:
            for step in self._fault(data, at):
                match step:
                    case Send(part):
                        writer.write(part)
                        await writer.drain()
                        data, at = data[len(part) :], at + len(part)
                    case Pause(seconds):
                        await asyncio.sleep(seconds)
                    case Hang():
                        await self._changed.wait()
                        break  # what is left goes by the new fault
                    case Close():
                        return True
                    case Reset():
                        raise _Broken
            else:
                return False


class _Broken(Exception):
    """The connection ends with a reset."""


def _linger_for_nothing(writer: asyncio.StreamWriter) -> None:
    """Make the close that follows a RST."""
    peer: socket.socket = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def proxying(target: int) -> Iterator[FaultProxy]:
    """Run a proxy on a thread of its own, for tests that block."""
    proxy = FaultProxy(target)
    started, stop = threading.Event(), asyncio.Event()
    loop: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loop.append(asyncio.get_running_loop())
        await proxy.start()
        started.set()
        await stop.wait()
        await proxy.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="fault-proxy", daemon=True)
    thread.start()
    assert started.wait(10), "the fault proxy did not start"
    try:
        yield proxy
    finally:
        loop[0].call_soon_threadsafe(stop.set)
        thread.join(10)
