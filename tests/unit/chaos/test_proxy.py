"""The fault proxy does to bytes what it says, and can be told otherwise at any time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.chaos import faults
from tests.chaos.proxy import FaultProxy, proxying
from tests.fakes.answers import Close, Hang, Pause, Reset, Send

pytestmark = pytest.mark.anyio


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def echoing() -> AsyncIterator[FaultProxy]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = FaultProxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
        server.close()


async def read(reader: asyncio.StreamReader, size: int) -> bytes:
    async with asyncio.timeout(30):
        return await reader.readexactly(size)


def played(fault: faults.Fault, *chunks: bytes) -> bytes:
    """Return what passes, and what happens, as one line of bytes."""
    passed, at = b"", 0
    for chunk in chunks:
        for step in fault(chunk, at):
            match step:
                case Send(data):
                    passed += data
                case Pause():
                    passed += b"_"
                case _:
                    passed += type(step).__name__.encode()
        at += len(chunk)
    return passed


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (faults.clear, b"abcdefClose"),
        (faults.blackhole, b"HangHangHang"),
        (faults.latency(1.0), b"_abcd_ef_Close"),
        (faults.bandwidth(10.0, piece=2), b"_ab_cd_efClose"),
        (faults.slicer(3), b"abc_d_ef_Close"),
        (faults.cut(5, Reset()), b"abcdeResetClose"),
        (faults.cut(4, Hang()), b"abcdHangHangClose"),
        (faults.cut(0, Close()), b"CloseCloseClose"),
        (faults.reset, b"ResetResetReset"),
        (faults.slow_close(1.0), b"abcdef_Close"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else getattr(value, "__qualname__", ""),
)
def test_what_a_fault_does_to_a_stream(fault, expected):
    assert played(fault, b"abcd", b"ef", b"") == expected


async def test_bytes_pass_both_ways_and_so_does_the_end():
    async with echoing() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"x" * 300_000)
        assert await read(reader, 300_000) == b"x" * 300_000
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_what_a_blackhole_held_arrives_when_the_network_is_back():
    async with echoing() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.fault = faults.blackhole
        writer.write(b"held")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.readexactly(4)
        assert proxy.connections == 1
        proxy.fault = faults.clear

        assert await read(reader, 4) == b"held"
        writer.close()


async def test_a_reset_is_a_reset():
    async with echoing() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.fault = faults.cut(2, Reset())
        writer.write(b"abcd")
        with pytest.raises(ConnectionResetError):
            await read(reader, 4)
        writer.close()


def test_it_also_runs_beside_code_that_blocks():
    with proxying(9) as proxy:
        assert proxy.port
