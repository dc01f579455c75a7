"""What control knows of hosts, services and roles: two seconds old at most, one answer for all.

Each message is kept with what was made of it, so that only what changed is made again.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, TypeVar

import msgspec
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from google.protobuf.message import Message

from control.api import cluster_documents as documents
from control.api.errors import ControlUnavailable
from control.api.route_documents import Document
from gateway.control_calls import ControlCalls
from gateway.listing import everything
from gateway.steps import Steps, freed, paced

MAX_AGE_SECONDS = 1.0
TOLD_SECONDS = 2.0
MAX_LATE_SECONDS = 10.0  # of what is told to who does not wait for a slow answer

M = TypeVar("M", bound=Message)
F = TypeVar("F")

_encode = msgspec.json.Encoder().encode


class Entry(Generic[M]):
    """A message, and what is made of it when it is first asked for."""

    __slots__ = ("_facts", "_json", "message", "wire")

    def __init__(self, message: M, wire: bytes) -> None:
        self.message = message
        self.wire = wire
        self._json: bytes | None = None
        self._facts: Any = None

    def json(self, described: Callable[[M], Document]) -> bytes:
        """Return what `described` makes of it, always the same function."""
        if self._json is None:
            self._json = _encode(described(self.message))
        return self._json

    def facts(self, found_in: Callable[[M], F]) -> F:
        """Return what `found_in` finds in it, always the same function."""
        if self._facts is None:
            self._facts = found_in(self.message)
        facts: F = self._facts
        return facts


@dataclass(frozen=True, slots=True)
class Known:
    """What control told together, each in the order of its ids."""

    hosts: Mapping[str, Entry[inventory.Host]]
    services: Mapping[str, Entry[pb.ServiceStatus]]
    roles: Mapping[str, Entry[pb.RoleStatus]]


NOTHING = Known({}, {}, {})


def host_lines(known: Known) -> Steps[list[bytes]]:
    return _lines(known.hosts, documents.host)


def service_lines(known: Known) -> Steps[list[bytes]]:
    return _lines(known.services, documents.service)


def role_lines(known: Known) -> Steps[list[bytes]]:
    return _lines(known.roles, documents.role)


def _lines(
    entries: Mapping[str, Entry[M]], described: Callable[[M], Document]
) -> Steps[list[bytes]]:
    """Return the JSON of each, made where it is not there yet."""
    found = []
    for entry in entries.values():
        found.append(entry.json(described))
        yield
    return found


class Knowledge:
    """Asks control when what is known is older than a second.

    Up to two seconds old it is told meanwhile, so that who lists again and again never
    waits; later, all wait for the same answer.

    clock: seconds, monotonic.
    """

    def __init__(self, control: ControlCalls, clock: Callable[[], float] = time.monotonic) -> None:
        self._control = control
        self._clock = clock
        self._last = NOTHING
        self._asking: asyncio.Task[Known] | None = None
        self._asked_at = 0.0  # of the clock: when the last answer came, or failed
        self._last_at = -inf  # and when it came

    async def now(self, seconds: float | None = None) -> Known:
        """Return what control knows.

        seconds: to wait at most; after that, what it told up to ten seconds ago will do.

        Raises:
            ControlUnavailable: control does not answer, or not in that time.
        """
        asking = self._asking
        if asking is None or (asking.done() and self._clock() - self._asked_at > MAX_AGE_SECONDS):
            asking = self._asking = asyncio.create_task(self._ask())
            asking.add_done_callback(_heard)
        if self._clock() - self._last_at <= TOLD_SECONDS:
            return self._last
        # Others wait for the same answer: who leaves does not end it.
        await asyncio.wait([asking], timeout=seconds)
        if asking.done():
            return asking.result()
        if self._clock() - self._last_at > MAX_LATE_SECONDS:
            raise ControlUnavailable("control takes its time; ask again")
        return self._last

    async def _ask(self) -> Known:
        try:
            last = self._last
            hosts, services, roles = await asyncio.gather(
                everything(self._hosts), everything(self._services), everything(self._roles)
            )
            self._last = Known(
                await paced(_entries(hosts, lambda one: one.host_id, last.hosts)),
                await paced(_entries(services, lambda one: one.service.service_id, last.services)),
                await paced(_entries(roles, lambda one: one.role.role_id, last.roles)),
            )
            self._last_at = self._clock()
            before = list(last.services.values())
            del last
            await paced(freed(before))
        finally:
            self._asked_at = self._clock()
        return self._last

    async def _hosts(self, size: int, token: str) -> tuple[Sequence[inventory.Host], str]:
        answer = await self._control.hosts(pb.ListHostsRequest(page_size=size, page_token=token))
        return answer.hosts, answer.next_page_token

    async def _services(self, size: int, token: str) -> tuple[Sequence[pb.ServiceStatus], str]:
        answer = await self._control.services(
            pb.ListServicesRequest(page_size=size, page_token=token)
        )
        return answer.services, answer.next_page_token

    async def _roles(self, size: int, token: str) -> tuple[Sequence[pb.RoleStatus], str]:
        answer = await self._control.roles(pb.ListRolesRequest(page_size=size, page_token=token))
        return answer.roles, answer.next_page_token


def _heard(asked: asyncio.Task[Known]) -> None:
    """Take note of how it ended, also where nobody waits any more."""
    if not asked.cancelled():
        asked.exception()


def _entries(
    messages: Iterable[M], key: Callable[[M], str], last: Mapping[str, Entry[M]]
) -> Steps[dict[str, Entry[M]]]:
    """Return an entry for each, the last one where it says the same."""
    found = {}
    for message in messages:
        wire = message.SerializeToString(deterministic=True)
        entry = last.get(name := key(message))
        if entry is None or entry.wire != wire:
            # A copy: what is held of a page would keep all of it in memory.
            entry = Entry(type(message).FromString(wire), wire)
        found[name] = entry
        yield
    return found
