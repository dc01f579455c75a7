"""`geniehive up`: everything on this machine, until Ctrl-C."""

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cli import keys, running
from cli.hive import Hive
from cli.keys import Keys
from cli.output import USAGE, Failure, Output
from cli.plan import Plan
from control.api.ports import describe, parse_address


def lan_keys(state: Path) -> tuple[Keys, bool]:
    """Return the keys of the folder, made now if there are none, and whether they were.

    Raises:
        Failure: the folder cannot be used, or an `up` without keys runs on it.
    """
    make_folders(state)
    require_none_running(state)
    return keys.ensure(state)


def up(plan: Plan, output: Output, *, show_keys: bool = False) -> None:
    """Run until SIGINT or SIGTERM; a second one ends all children at once.

    show_keys: once, when they are new.

    Raises:
        Failure: something could not start.
    """
    make_folders(plan.state, plan.run, plan.logs)
    require_none_running(plan.state)
    command = "geniehive up --lan" if plan.keys else "geniehive up"
    _require_free(plan.control, f"{command} --control-port 0")
    _require_free(plan.gateway, f"{command} --port 0")
    running.write(plan.state, running.ourselves())
    try:
        run(Hive(plan, output, show_keys=show_keys))
    finally:
        running.remove(plan.state)


class Life(Protocol):
    """What is started, kept running and stopped, with its children."""

    async def live(self) -> None:
        """Start, and run until cancelled."""

    async def say_goodbye(self) -> None:
        """Say what a stop interrupts."""

    async def stop(self) -> None:
        """Stop all children."""

    def cut(self) -> None:
        """End all children at once."""


def run(what: Life) -> None:
    """Run until SIGINT or SIGTERM; a second one ends all children at once.

    Raises:
        Failure: something could not start.
    """
    asyncio.run(_run(what))


async def _run(hive: Life) -> None:
    life = asyncio.ensure_future(hive.live())
    asked: list[int] = []

    def interrupt(number: int) -> None:
        asked.append(number)
        life.cancel()
        if len(asked) > 1:
            hive.cut()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt, number)
    try:
        await life
    except asyncio.CancelledError:
        await hive.say_goodbye()
    except BaseExceptionGroup as group:
        raise next(_failures(group), group) from None
    finally:
        await hive.stop()


def _failures(group: BaseExceptionGroup[BaseException]) -> Iterator[Failure]:
    for error in group.exceptions:
        if isinstance(error, Failure):
            yield error
        elif isinstance(error, BaseExceptionGroup):
            yield from _failures(error)


def make_folders(*folders: Path) -> None:
    """Make what is not there, for us alone.

    Raises:
        Failure: a folder cannot be used.
    """
    for folder in folders:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            usable = os.access(folder, os.W_OK | os.X_OK)
        except OSError:
            usable = False
        if not usable:
            raise Failure(
                f"{folder} cannot be written; fix: --state-dir FOLDER",
                USAGE,
                "state_unusable",
            )


def require_none_running(state: Path) -> None:
    """Raise a `Failure` when something runs on the folder."""
    if found := running.read(state):
        message = f"already running since {found.since()} (pid {found.pid}): geniehive status"
        raise Failure(message, USAGE, "already_running")


def _require_free(address: str, fix: str) -> None:
    """Find out before anything is started, so that the answer is one line."""
    try:
        _try(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"port {parse_address(address)[1]} is {describe(address)}; fix: {fix}"
        else:
            message = f"{address} cannot be listened on: {(error.strerror or str(error)).lower()}"
        raise Failure(message, USAGE, "port_in_use") from error


def is_free(address: str) -> bool:
    """Return whether `address` can be listened on."""
    try:
        _try(address)
    except OSError:
        return False
    return True


def _try(address: str) -> None:
    host, port = parse_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As the servers do; without it a port just left counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen()
