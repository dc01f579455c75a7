"""Runs what may hang beside the event loop, and does not wait for it for ever."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class NoAnswer(Exception):
    """It hangs, or breaks; the message goes on after the name of what was asked."""


class Aside(Generic[T]):
    """One function that asks a driver or a file system, on a thread of its own.

    A thread that hangs cannot be ended. It is a daemon, which the process does not wait for,
    and there is never a second one: until it is back, nothing is asked again.
    """

    def __init__(self, name: str, ask: Callable[[], T]) -> None:
        self._name = name
        self._ask = ask
        self._asking = False

    async def ask(self, seconds: float) -> T:
        """Return what the function returns.

        Raises:
            NoAnswer: it takes longer than `seconds`, still hangs from an earlier call, or
                raised anything at all: no driver and no sensor may end the node.
        """
        if self._asking:
            raise NoAnswer("does not answer")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def settle(value: T | None, error: Exception | None) -> None:
            if answer.done():
                return  # nobody waits any more
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(value)  # type: ignore[arg-type]  # of type T without an error

        def run() -> None:
            value: T | None = None
            error: Exception | None = None
            try:
                value = self._ask()
            except Exception as raised:  # noqa: BLE001  # it is told where it is awaited
                error = raised
            self._asking = False
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(settle, value, error)

        self._asking = True
        try:
            threading.Thread(target=run, name=self._name, daemon=True).start()
        except RuntimeError as full:
            self._asking = False
            raise NoAnswer(f"cannot be asked: {full}") from full
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError as late:
            raise NoAnswer("does not answer") from late
        except Exception as broken:
            raise NoAnswer(f"breaks: {broken!r:.200}") from broken
