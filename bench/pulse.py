"""How soon control answers, felt from outside: small calls at a steady rate.

`python -P -m bench.pulse ADDRESS FILE` calls the control at ADDRESS until it is terminated,
a process of its own, before others where it may be, so that it feels nothing but control.
A call that waits for the one before it counts from when it was due.
"""

import asyncio
import contextlib
import itertools
import os
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import grpc
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as pb_grpc

from bench.figures import percentile
from control.api.channel import aio_channel
from control.api.errors import GenieHiveError
from control.api.process import loop_factory
from node.remote import GrpcRemote
from node.session import Beat, StreamEnded
from node.state import Host, Metrics, Report

WHAT = CALLS, BEATS = 0, 1  # what a line of the file is about
CALL_SECONDS, BEAT_SECONDS = 0.02, 0.1  # a host may beat 20 times a second
PATIENCE_SECONDS = 10.0
RETRY_SECONDS = 0.1
NICE = -15

HOST_ID = "pulse"
REPORT = Report(Host(HOST_ID), Metrics(0.0, 0), ())

_LINE = struct.Struct("=Bqq")  # what, when it was due and how long it took, in nanoseconds


@dataclass(frozen=True, slots=True)
class Times:
    """How long calls took. Milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    def __str__(self) -> str:
        return f"p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms, max {self.max_ms:.1f} ms"


def times(nanoseconds: list[int]) -> Times:
    """Return what durations come to, all zero when there are none."""
    ordered = sorted(nanoseconds)
    p50, p99, slowest = (percentile(ordered, share) or 0 for share in (0.5, 0.99, 1.0))
    return Times(len(ordered), p50 / 1e6, p99 / 1e6, slowest / 1e6)


def read(path: Path, what: int, begin: int, end: int) -> Times:
    """Return how long that took which was due within a time, by `time.perf_counter_ns`."""
    content = path.read_bytes()
    whole = len(content) - len(content) % _LINE.size
    lines = _LINE.iter_unpack(content[:whole])
    return times([took for of, due, took in lines if of == what and begin <= due <= end])


async def _pulse(address: str, file: BinaryIO) -> None:
    await asyncio.gather(
        _repeated(lambda: _calling(address, file)), _repeated(lambda: _beating(address, file))
    )


async def _repeated(life: Callable[[], Awaitable[None]]) -> None:
    """Live again and again, whatever becomes of control, on a new connection each time."""
    while True:
        try:
            await life()
        except (grpc.RpcError, GenieHiveError, StreamEnded):
            await asyncio.sleep(RETRY_SECONDS)


async def _calling(address: str, file: BinaryIO) -> None:
    async with aio_channel(address) as channel:
        stub: Any = pb_grpc.DiscoveryServiceStub(channel)

        async def call() -> None:
            # Next to nothing to do for control; the health of a cluster takes milliseconds.
            await stub.GetHost(pb.GetHostRequest(host_id=HOST_ID), timeout=PATIENCE_SECONDS)

        await _timed(CALLS, call, CALL_SECONDS, file)


async def _beating(address: str, file: BinaryIO) -> None:
    async with aio_channel(address) as channel:
        remote = GrpcRemote(channel, instance_id=HOST_ID, node_key=None)
        grant = await remote.register(REPORT)
        numbers = itertools.count(1)
        async with remote.stream() as stream:

            async def beat() -> None:
                told = Beat(grant.generation, next(numbers), REPORT, frozenset())
                await stream.beat(told, PATIENCE_SECONDS)

            await _timed(BEATS, beat, BEAT_SECONDS, file)


async def _timed(
    what: int, call: Callable[[], Awaitable[None]], gap: float, file: BinaryIO
) -> None:
    await call()  # connects
    due = time.perf_counter_ns()
    while True:
        due += int(gap * 1e9)
        if (early := due - time.perf_counter_ns()) > 0:
            await asyncio.sleep(early / 1e9)
            due = time.perf_counter_ns()  # whatever made us oversleep was not control
        await call()
        file.write(_LINE.pack(what, due, time.perf_counter_ns() - due))


def main() -> None:
    """Entry point of `python -m bench.pulse`."""
    address, path = sys.argv[1:]
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with (
        Path(path).open("wb", buffering=0) as file,
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        runner.run(_pulse(address, file))


if __name__ == "__main__":
    main()
