"""Faults of our own, put in from outside: functions of the gateway that raise at random."""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from gateway import body
from gateway.admission import Admission
from gateway.attempts import Attempts
from gateway.connection import Connection
from gateway.meter import Tally
from gateway.recent import Recent
from gateway.room import Room
from gateway.rotation import Rotation
from gateway.route import Choice, Route
from gateway.routes import Routes
from gateway.sse import Scanner
from gateway.turn import Turn
from gateway.upstream import Upstream

# What a request goes through between taking a place somewhere and giving it back.
POINTS: Sequence[tuple[Any, str]] = (
    (body, "parse"),
    (Admission, "check_memory"),
    (Routes, "resolve"),
    (Routes, "succession"),
    (Rotation, "take"),
    (Room, "take"),
    (Choice, "shaped"),
    (Attempts, "_lines"),
    (Route, "asked"),
    (Upstream, "call"),
    (Upstream, "connect"),
    (Connection, "send"),
    (Connection, "on_body"),
    (Scanner, "feed"),
    (Scanner, "finish"),
    (Tally, "answered"),
    (Tally, "failed"),
    (Tally, "left"),
    (Recent, "add"),
    (Turn, "respond"),
    (Turn, "start"),
    (Turn, "write"),
    (Turn, "end"),
    (Turn, "break_off"),
)


class Failpoint(Exception):
    """What a function raises that was chosen to fail."""


@contextmanager
def failing(share: float, draw: random.Random) -> Iterator[Counter[str]]:
    """Let every one of `POINTS` fail in this share of its calls; yields how often each did."""
    failed: Counter[str] = Counter()
    with ExitStack() as stack:
        for name in (
            "gateway.answering",
            "gateway.exchange",
            "gateway.gateway",
            "asyncio",
        ):  # which tell of every bug at length
            logger = logging.getLogger(name)
            logger.addFilter(_is_none_of_ours)
            stack.callback(logger.removeFilter, _is_none_of_ours)
        for owner, name in POINTS:
            raising = _raising(getattr(owner, name), share, draw, failed)
            stack.enter_context(patch.object(owner, name, raising))
        yield failed


def _is_none_of_ours(record: logging.LogRecord) -> bool:
    return record.exc_info is None or not isinstance(record.exc_info[1], Failpoint)


def _raising(
    function: Callable[..., Any], share: float, draw: random.Random, failed: Counter[str]
) -> Callable[..., Any]:
    @wraps(function)
    def instead(*args: Any, **kwargs: Any) -> Any:
        if draw.random() < share:
            failed[function.__qualname__] += 1
            raise Failpoint(function.__qualname__)
        return function(*args, **kwargs)

    return instead
