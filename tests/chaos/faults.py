"""What can happen to bytes on their way, as pure policies over chunks.

A fault is asked for every chunk, and for the end of the stream as an empty one, and
answers with steps. What it sends are pieces of the chunk, in order. `Hang` keeps the rest
until the fault is replaced, as a network does that is down for a while.
"""

import random
from collections.abc import Callable, Iterator

from tests.fakes.answers import Close, Hang, Pause, Reset, Send, Step

# (chunk, bytes of this direction that went before) -> steps
Fault = Callable[[bytes, int], Iterator[Step]]


def clear(data: bytes, at: int) -> Iterator[Step]:
    """Let everything pass."""
    yield Send(data) if data else Close()


def blackhole(data: bytes, at: int) -> Iterator[Step]:
    """Let nothing pass, not even an end."""
    yield Hang()


def latency(
    seconds: float, jitter: float = 0.0, draw: Callable[[], float] = random.random
) -> Fault:
    """Delay each chunk by `seconds`, and by up to `jitter` more."""

    def fault(data: bytes, at: int) -> Iterator[Step]:
        yield Pause(seconds + jitter * draw())
        yield from clear(data, at)

    return fault


def bandwidth(bytes_per_second: float, piece: int = 1024) -> Fault:
    """Let so much pass in a second."""

    def fault(data: bytes, at: int) -> Iterator[Step]:
        for start in range(0, len(data), piece):
            part = data[start : start + piece]
            yield Pause(len(part) / bytes_per_second)
            yield Send(part)
        if not data:
            yield Close()

    return fault


def slicer(size: int, pause: float = 0.0) -> Fault:
    """Cut every chunk into writes of `size` bytes, `pause` seconds apart."""

    def fault(data: bytes, at: int) -> Iterator[Step]:
        for start in range(0, len(data), size):
            yield Send(data[start : start + size])
            yield Pause(pause)
        if not data:
            yield Close()

    return fault


def cut(after: int, end: Close | Reset | Hang) -> Fault:
    """Let `after` bytes pass, then end the connection, or leave it hanging."""

    def fault(data: bytes, at: int) -> Iterator[Step]:
        if not data or at + len(data) < after:
            yield from clear(data, at)
            return
        if at < after:
            yield Send(data[: after - at])
        yield end

    return fault


def reset(data: bytes, at: int) -> Iterator[Step]:
    """End every connection rudely, as soon as something moves on it."""
    yield Reset()


def slow_close(seconds: float) -> Fault:
    """Tell the end of a stream late."""

    def fault(data: bytes, at: int) -> Iterator[Step]:
        if not data:
            yield Pause(seconds)
        yield from clear(data, at)

    return fault
