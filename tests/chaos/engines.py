"""Engines that can be killed, stopped and started again where they were."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path

from geniehive.v1 import inventory_pb2 as inventory

from tests.chaos.calls import service
from tests.processes import Service, stop_all

MODEL = "small"

Start = Callable[[int], Service]  # on this port; 0 lets the kernel choose


class Mortal:
    """An engine at one address, whichever life it is in. start: begins one."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self.life = start(0)

    @cached_property
    def port(self) -> int:
        """Where it listens, once it does: many that start do so at the same time."""
        return self.life.port()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it as a crash does."""
        self.life.kill()

    def revive(self) -> None:
        """Start it again, and return when it listens."""
        self.life = self._start(self.port)
        self.life.port()


@contextmanager
def mortals(*starts: Start) -> Iterator[list[Mortal]]:
    """Run an engine for each of `starts` until the block ends."""
    running: list[Mortal] = []
    try:
        for start in starts:
            running.append(Mortal(start))
        yield running
    finally:
        stop_all([one.life for one in running])


def fakes(
    folder: Path,
    count: int,
    models: Sequence[str] = (MODEL,),
    *,
    words: int = 8,
    pace: float = 0.002,
) -> list[Start]:
    """Return how `count` fake engines start. words, pace: of a stream."""
    named = [word for model in models for word in ("--model", model)]
    says = [*named, "--words", str(words), "--pace", str(pace)]
    return [partial(_fake, folder / f"engine-{number}.log", says) for number in range(count)]


def _fake(log: Path, says: Sequence[str], port: int) -> Service:
    return Service(["tests.fakes.engine", "--port", str(port), *says], log)


def services(addresses: Sequence[str], model: str = MODEL) -> list[inventory.Service]:
    """Return services `h/e0`, `h/e1`, … that serve `model` at these addresses, host:port."""
    return [service(f"h/e{number}", at, [model]) for number, at in enumerate(addresses)]
