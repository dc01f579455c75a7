"""Keeps what the gateway knows in a file, and recalls it when control is away at the start."""

import asyncio
import logging
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from gateway import last_good
from gateway.apart import apart
from gateway.gateway import Gateway
from gateway.last_good import LastGood, Refused
from gateway.resources import Service, Target, target_message
from gateway.table import Replica

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0  # for control, which knows better than any file
LOOK_SECONDS = 1.0  # between two looks at whether something changed
CONFIRM_SECONDS = 600.0  # what did not change is written anew, or its age would be wrong
# A large table that changes all the time is written for at most one in so many seconds.
REST = 20

T = TypeVar("T")


class Memory:
    """The last-known-good file of one gateway. One of all that share the folder writes it.

    folder: made when it is not there. key: the gateway's own, for control.
    """

    def __init__(self, gateway: Gateway, folder: Path, key: str | None, control: str) -> None:
        self._gateway = gateway
        self._folder = folder
        self._key = key
        self._control = control
        self._lock: int | None = None
        self._written: tuple[bytes, bytes] | None = None
        self._written_at = 0.0
        self._not_before = float("-inf")
        self._complained = False

    async def run(self) -> None:
        """Recall once, then keep, until cancelled."""
        await asyncio.sleep(PATIENCE_SECONDS)
        if not self._told():
            await self.recall()
        while True:
            await self.keep()
            await asyncio.sleep(LOOK_SECONDS)

    async def recall(self) -> None:
        """Serve from the file, if it is there and can be trusted."""
        path = self._folder / last_good.NAME
        try:
            known = await apart(partial(last_good.read, self._folder, self._key, self._control))
        except Refused as error:
            log.warning("%s refused: %s; waiting for control", path, error)
            return
        if known is not None and not self._told():
            self._gateway.recall(known)
            stale = self._gateway.age().get("stale_seconds", 0.0)
            log.warning("control is away: serving from %s, %s s old", path, stale)

    async def keep(self) -> None:
        """Write the file, if control told something since and it is our turn to write."""
        if (mark := self._mark()) is None:
            return
        same_keys = self._written is not None and mark[1] == self._written[1]
        if same_keys and self._gateway.clock() < self._not_before:
            return
        try:
            if self._lock is None:
                self._lock = await apart(partial(last_good.elected, self._folder))
            if self._lock is not None:
                began = self._gateway.clock()
                await self._write()
                self._written, self._written_at = mark, self._gateway.clock()
                self._not_before = self._written_at + REST * (self._written_at - began)
            self._complained = False
        except OSError as error:
            # The folder may have been taken away, and our lock with it.
            self._lose_lock()
            if not self._complained:
                why = (error.strerror or str(error)).lower()
                log.warning("%s: %s; a restart will need control", self._folder, why)
            self._complained = True

    def _lose_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _write(self) -> None:
        gateway = self._gateway
        routes, keys = gateway.route_table, gateway.key_table
        at, settled = gateway.true_at, routes.settled
        assert at is not None  # or nothing would be held
        assert routes.identity is not None
        assert keys.identity is not None
        held = (
            (routes.identity, _kept(routes)),
            (keys.identity, _kept(keys)),
        )

        def write() -> None:
            tables = (last_good.snapshot(identity, map(_raw, kept)) for identity, kept in held)
            known = LastGood(at, self._control, *tables)
            if not settled:
                try:
                    before = last_good.read(self._folder, self._key, self._control)
                except Refused:
                    before = None
                if before is None:
                    return
                known = replace(before, keys=known.keys)
            last_good.write(self._folder, last_good.encode(known, self._key))

        await apart(write)

    def _mark(self) -> tuple[bytes, bytes] | None:
        """Return what tells one state of the tables from another; None: nothing is to write.

        A control that is not settled may have forgotten routes: the file remembers them. Who
        may enter it knows at once, and a key that is gone must not come back with the file.
        """
        routes, keys = self._gateway.route_table, self._gateway.key_table
        if not self._told() or not keys.settled:
            return None
        if self._gateway.true_at is None:
            return None  # it is being connected right now
        assert routes.identity is not None
        assert keys.identity is not None
        routes_mark = routes.identity.SerializeToString() if routes.settled else b""
        mark = routes_mark, keys.identity.SerializeToString()
        confirmed = (
            self._gateway.control_connected
            and self._gateway.clock() - self._written_at >= CONFIRM_SECONDS
        )
        return mark if mark != self._written or confirmed else None

    def _told(self) -> bool:
        gateway = self._gateway
        return gateway.route_table.identity is not None and gateway.key_table.identity is not None


def _kept(table: Replica[T]) -> list[bytes | T]:
    """Return the resources of `table` as control sent them, or as they are read.

    No key of an engine, and no token of a node, may reach a disk: a service that needs one is
    left out, not told without.
    """
    return [
        table.current[name] if raw is None else raw
        for name, raw in table.pushed.items()
        if not _has_secret(table.current[name])
    ]


def _has_secret(resource: object) -> bool:
    if not isinstance(resource, Service):
        return False
    return bool(resource.origin.api_key) or resource.origin.relay is not None


def _raw(kept: object) -> bytes:
    if isinstance(kept, Target):
        return target_message(kept).SerializeToString()
    assert isinstance(kept, bytes)  # only targets come in parts
    return kept
