"""Long work in short steps, so that requests are served in between."""

import asyncio
import time
from collections.abc import Callable, Generator
from typing import TypeVar

SLICE_SECONDS = 0.002  # what a request may have to wait, beside one step

T = TypeVar("T")

Steps = Generator[None, None, T]


def finished(steps: Steps[T]) -> T:
    """Take all steps at once and return what they come to."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def freed(held: list[T]) -> Steps[None]:
    """Let go of all of `held`: to free thousands of messages at once takes tens of ms."""
    while held:
        held.pop()
        yield


async def paced(steps: Steps[T], clock: Callable[[], float] = time.perf_counter) -> T:
    """Take all steps and return what they come to; others run after each slice of time.

    clock: seconds. When this is cancelled, the steps that are left are not taken.
    """
    pause_at = clock() + SLICE_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if clock() >= pause_at:
            await asyncio.sleep(0)
            pause_at = clock() + SLICE_SECONDS
