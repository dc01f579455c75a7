"""Engines that can be killed, stopped and started again where they were."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geniehive.v1 import inventory_pb2 as inventory

from tests.chaos.calls import service
from tests.processes import Service, stop_all

MODEL = "small"


class Mortal:
    """A process that serves `small`, at one address whichever life it is in."""

    def __init__(self, name: str, folder: Path, *, words: int, pace: float) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._says = ["--model", MODEL, "--words", str(words), "--pace", str(pace)]
        self.life = self._live(0)
        self.port = self.life.port()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it as a crash does."""
        self.life.kill()

    def revive(self) -> None:
        """Start it again, and return when it listens."""
        self.life = self._live(self.port)
        self.life.port()

    def _live(self, port: int) -> Service:
        return Service(["tests.fakes.engine", "--port", str(port), *self._says], self._log)


@contextmanager
def mortals(
    folder: Path, count: int, *, words: int = 8, pace: float = 0.002
) -> Iterator[list[Mortal]]:
    """Run `count` engines, `e0`, `e1`, …, until the block ends. words, pace: of a stream."""
    running: list[Mortal] = []
    try:
        for number in range(count):
            running.append(Mortal(f"e{number}", folder, words=words, pace=pace))
        yield running
    finally:
        stop_all([one.life for one in running])


def services(*addresses: str) -> list[inventory.Service]:
    """Return services `h/e0`, `h/e1`, … that serve `small` at these addresses, host:port."""
    return [service(f"h/e{number}", at, [MODEL]) for number, at in enumerate(addresses)]
