"""Simulated nodes: the session and the messages of real ones, without engines to look at.

`python -P -m bench.nodes ADDRESS BOARD NODES FIRST LAST SERVICES NODES_PER_CHANNEL MIXED` is
the nodes FIRST to LAST of a fleet, until it is terminated.
"""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import grpc

from bench.board import Board
from control.api.channel import CLIENT_OPTIONS
from control.api.process import loop_factory
from node.assets import Asset
from node.remote import GrpcRemote
from node.rolling import Rates
from node.session import Grant, Session
from node.state import Host, Metrics, Observation, Report, Service, Watched

MODELS = 100  # of different names in the fleet: a model is on one node in a hundred
STARTS_PER_SECOND = 250.0  # at first; afterwards control says how they come back

HEALTHY, UNHEALTHY = Observation("healthy", in_flight=1), Observation("unhealthy", "gone")
METRICS = Metrics(cpu_utilization=0.5, memory_available_bytes=8 << 30)

# What mixed fleets are made of. Their lengths have no common divisor, so that all meet all.
FAMILIES = ("qwen3", "mistral", "llama", "phi", "gemma")
GPUS = ("a100", "l40", "rtx4090")
CONTEXTS = (8_192, 32_768)
TIERS = ("trusted", "trusted", "lab", "lab", "edge", "edge", "edge")
# Tokens a second that make a difference to scores.
SLOW, FAST = Rates(10.0), Rates(60.0)


@dataclass(frozen=True, slots=True)
class Crew:
    """The nodes `first` to `last` of a fleet of `nodes`, and how they reach control."""

    address: str
    board: Path
    nodes: int
    first: int
    last: int
    services: int  # of each node
    per_channel: int  # nodes that share a connection; real ones have their own
    mixed: bool  # whether hosts and models differ in more than their names


class _Remote(GrpcRemote):
    """Control as a node reaches it; notes on the board when the node registered."""

    def __init__(self, channel: grpc.aio.Channel, number: int, board: Board) -> None:
        super().__init__(channel, instance_id=f"bench-{number}", node_key=None)
        self._number = number
        self._board = board

    async def register(self, report: Report) -> Grant:
        grant = await super().register(report)
        self._board.registrations[self._number] += 1
        self._board.registered_at[self._number] = time.monotonic()
        return grant


class Node:
    """One node of a fleet; all its services are healthy until it is told otherwise.

    told: what it tells, at first.
    """

    def __init__(self, number: int, told: Report, channel: grpc.aio.Channel, board: Board) -> None:
        self.service_id = f"host-{number:05}/s0"
        self._number = number
        self._board = board
        self._report = told
        self._changed = asyncio.Event()
        self._session = Session(_Remote(channel, number, board), self._told, self._changed)

    def break_down(self) -> None:
        """Find the first service unhealthy; control hears of it at once."""
        first, *others = self._report.services
        self._tell(replace(first, observation=UNHEALTHY), *others)

    def change_speed(self) -> None:
        """Find the first service fast, or slow when it was fast; roles score it otherwise."""
        first, *others = self._report.services
        speed = SLOW if first.observation.rates == FAST else FAST
        self._tell(replace(first, observation=replace(HEALTHY, rates=speed)), *others)

    def move(self, endpoint: str) -> None:
        """Have the first service at another address."""
        first, *others = self._report.services
        revision = first.service.revision + 1
        service = replace(first.service, endpoint=endpoint, revision=revision)
        self._tell(replace(first, service=service), *others)

    async def live(self, delay: float) -> None:
        """Stay registered until cancelled, after `delay` seconds."""
        await asyncio.sleep(delay)
        await self._session.run()

    def _tell(self, *services: Watched) -> None:
        self._report = replace(self._report, services=services)
        self._changed.set()

    def _told(self) -> Report:
        self._board.beats[self._number] += 1
        return self._report


def report(number: int, services: int) -> Report:
    """Return what the node of this number tells."""
    host_id = f"host-{number:05}"
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    watched = tuple(
        Watched(
            Service(
                service_id=f"{host_id}/s{index}",
                endpoint=f"http://{address}:{8080 + index}",
                kind="chat",
                engine="llamacpp",
                assets=(Asset(f"model-{(number + index) % MODELS:03}", True, 8_192),),
                concurrency=4,
            ),
            HEALTHY,
        )
        for index in range(services)
    )
    return Report(Host(host_id, cpu_threads=8, memory_bytes=16 << 30), METRICS, watched)


def mixed(number: int, services: int) -> Report:
    """Return the same with hosts and models that roles tell apart."""
    plain = report(number, services)
    host = replace(
        plain.host,
        labels={"gpu": GPUS[number % len(GPUS)]},
        trust_tier=TIERS[number % len(TIERS)],
        workload_classes=("interactive", "background")[: 1 + number % 2],
    )
    return replace(
        plain,
        host=host,
        services=tuple(
            replace(one, service=replace(one.service, assets=(_mixed(number + index),)))
            for index, one in enumerate(plain.services)
        ),
    )


def _mixed(number: int) -> Asset:
    family, context = FAMILIES[number % len(FAMILIES)], CONTEXTS[number // 3 % len(CONTEXTS)]
    return Asset(f"{family}-{number % MODELS:03}", number % 11 > 0, context)


@contextlib.asynccontextmanager
async def living(crew: Crew) -> AsyncIterator[Sequence[Node]]:
    """Keep the nodes of `crew` registered, for as long as the context lasts."""
    board = Board(crew.board, crew.nodes)
    numbers = range(crew.first, crew.last + 1)
    made = mixed if crew.mixed else report
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_quiet(logging.getLogger("node")))
        nodes = []
        for start in range(0, len(numbers), crew.per_channel):
            channel = await stack.enter_async_context(_own_connection(crew.address))
            nodes += [
                Node(number, made(number, crew.services), channel, board)
                for number in numbers[start : start + crew.per_channel]
            ]
        tasks = [
            asyncio.create_task(node.live(number / STARTS_PER_SECOND))
            for number, node in zip(numbers, nodes, strict=True)
        ]
        try:
            yield nodes
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def _quiet(log: logging.Logger) -> Iterator[None]:
    """Hold back what a thousand nodes that lose control would say a thousand times."""
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _own_connection(address: str) -> grpc.aio.Channel:
    # Without its own pool, all channels of a process would share one connection.
    own = ("grpc.use_local_subchannel_pool", 1)
    return grpc.aio.insecure_channel(address, options=[*CLIENT_OPTIONS, own])


async def _live(crew: Crew) -> None:
    async with living(crew):
        await asyncio.Event().wait()


def main() -> None:
    """Entry point of `python -m bench.nodes`."""
    address, board, *numbers = sys.argv[1:]
    nodes, first, last, services, per_channel, mixed_too = map(int, numbers)
    crew = Crew(address, Path(board), nodes, first, last, services, per_channel, bool(mixed_too))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_live(crew))


if __name__ == "__main__":
    main()
