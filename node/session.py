"""The life of a registration: register, beat, and come back after whatever happened.

Control owns the pace. What each outcome leads to:

* an answer              wait as told, or until something changed, then beat again
* the lease is lost      register again, spread over the window that control told
* the stream ended       open it again at once; control ends streams for their age
* control is silent      the same call again, spread alike, over 0.5 to 2 s at least
* the definition is bad  register again when something changed, or much later
* refused otherwise      register again later, slowly: host id in use, key not known

Spread is a wait of any length up to that window. A node takes it once between two
answers: then its call comes alone, whatever else happened to all nodes together.
That a stream ended each node notices with its own next beat, which is spread enough.

A node that is stopped says so first: its services drain, what is in flight there ends,
and then it gives its lease back.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from control.api.errors import BadRequest, GenieHiveError, NotFound, Unavailable
from node.state import Host, Machine, Report, draining

log = logging.getLogger(__name__)

# How long a control that does not answer is left alone: up to this, doubled each
# time as far as that, or up to the window that control told if that is longer.
RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 2.0
MIN_WAIT_SECONDS = 0.1  # between two calls, and between two beats whatever changes
REFUSAL_SECONDS = 5.0  # another instance lives, or the key is not known
REFUSED_SECONDS = 60.0  # the definition is not accepted; only a change helps
DRAIN_SECONDS = 0.25  # between two beats of a node that leaves; gateways tell loads as often
DRAIN_ANSWER_SECONDS = 1.0  # a control that is silent is not waited for

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pace:
    """What control tells about time, in seconds."""

    interval: float
    lease: float
    reconnect_window: float


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease, by its generation, and the pace to keep it."""

    generation: int
    pace: Pace


@dataclass(frozen=True, slots=True)
class Answer:
    """What control says to one beat."""

    pace: Pace
    wanted: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    in_flight: int = 0  # requests at the services of the host


@dataclass(frozen=True, slots=True)
class Beat:
    """One sign of life. `defined` names the services that go with their definition."""

    generation: int
    sequence: int
    report: Report
    defined: frozenset[str]
    machine: Machine | None = None  # None: control knows it


class StreamEnded(Exception):
    """Control ended a stream that had carried answers; the lease may well live."""


class Stream(Protocol):
    """An open stream of beats."""

    async def beat(self, beat: Beat, patience: float) -> Answer:
        """Send a beat and return its answer, which may take `patience` seconds.

        Raises:
            StreamEnded, LeaseLost, ControlUnavailable or another GenieHiveError.
        """


class Remote(Protocol):
    """Control, as a node needs it. The gRPC one is `node/remote.py`."""

    async def register(self, report: Report) -> Grant:
        """Register the host with all its services."""

    def stream(self) -> AbstractAsyncContextManager[Stream]:
        """Open a stream of beats."""

    async def hang_up(self) -> None:
        """Drop the connection; nothing reaches for control until the next call."""

    async def deregister(self, host_id: str, generation: int) -> None:
        """Give the lease back."""


class Session:
    """Keeps one host registered. `generation` is that of the lease held, None without one."""

    def __init__(
        self,
        remote: Remote,
        report: Callable[[], Report],
        changed: asyncio.Event,
        *,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.generation: int | None = None
        self._remote = remote
        self._report = report
        self._changed = changed
        self._sleep = sleep
        self._jitter = jitter
        self._now = now
        self._pace: Pace  # as last told; set by the first registration
        self._sequence = 0  # of the last beat of the present lease
        self._window = RETRY_SECONDS  # as last told; the own default until then
        self._spread = False  # whether this node waited its share of a window since an answer
        self._beat_at = float("-inf")  # when the last beat was sent
        self._failures = 0  # calls in a row that control did not answer
        self._complaint = ""  # the last trouble logged, so that it is logged once
        self._sent: dict[str, int] = {}  # revision of each definition that control holds
        self._refused: dict[str, int] = {}  # the last revision of each that control refused
        self._host: Host  # as it was registered
        self._machine_sent = 0  # revision of what control holds of the machine

    async def run(self) -> None:
        """Stay registered until cancelled."""
        while True:
            try:
                await self._register()
                while self._report().host == self._host:
                    await self._beat_on_one_stream()
            except NotFound:
                self.generation = None
                log.warning("lease lost, registering again")
                if not self._spread:
                    await self._wait_within(self._window)
            except BadRequest as error:
                self._refuse(error)
                await self._until_changed(self._about(REFUSED_SECONDS))
            except GenieHiveError as error:
                self._refuse(error)
                await self._sleep(self._about(REFUSAL_SECONDS))

    async def drain(self, seconds: float, busy: Callable[[], int] | None = None) -> None:
        """Have nothing new sent here, and wait for what is in flight, `seconds` at most.

        For when `run` is over. busy: how many requests pass through this process, None when
        none ever does. These are waited for whatever control says; the others end without
        this node, too, and are waited for as long as control tells of them.
        """
        until = self._now() + seconds
        while self.generation is not None and self._now() < until:
            try:
                async with self._remote.stream() as stream:
                    await self._drain_on(stream, until, busy)
                return
            except StreamEnded as error:
                log.debug("stream ended, opening it again: %s", error)
            except NotFound:
                self.generation = None
            except GenieHiveError as error:
                log.warning("control cannot be told that this host leaves: %s", error)
                break
        while busy is not None and busy() and self._now() < until:
            await self._sleep(DRAIN_SECONDS)

    async def leave(self) -> None:
        """Give the lease back, when there is one.

        Raises:
            GenieHiveError: control did not take it; it expires by itself.
        """
        if self.generation is not None:
            await self._remote.deregister(self._report().host.host_id, self.generation)

    async def _register(self) -> None:
        while True:
            self._changed.clear()
            report = self._report()
            try:
                grant = await self._remote.register(report)
            except Unavailable as error:
                await self._silent(error)
                continue
            break
        self.generation, self._sequence = grant.generation, 0
        self._sent = {one.service.service_id: one.service.revision for one in report.services}
        self._refused.clear()
        self._host, self._machine_sent = report.host, _revision(report.machine)
        self._pace = grant.pace
        self._answered(grant.pace)
        log.info("registered as %s (%d services)", report.host.host_id, len(report.services))

    async def _beat_on_one_stream(self) -> None:
        """Beat until the stream ends or the host is another; return when that is to be told."""
        try:
            async with self._remote.stream() as stream:
                wanted: frozenset[str] = frozenset()
                while self._report().host == self._host:
                    wanted = await self._beat(stream, wanted)
                    if not wanted:
                        await self._until_changed(self._pace.interval)
        except StreamEnded as error:
            log.debug("stream ended, opening it again: %s", error)
        except Unavailable as error:
            await self._silent(error)

    async def _drain_on(self, stream: Stream, until: float, busy: Callable[[], int] | None) -> None:
        """Beat until nothing is in flight, or the time is over."""
        wanted: frozenset[str] = frozenset()
        told, first = 0, True
        while True:
            report = draining(self._report())
            answer, wanted = await self._tell(stream, report, wanted, DRAIN_ANSWER_SECONDS)
            left = max(answer.in_flight, busy() if busy else 0)
            if not left:
                return
            # The first answer may only mean that control does not know yet.
            if left != told and not first:
                log.info("draining, %d in flight", left)
                told = left
            first = False
            if self._now() + DRAIN_SECONDS > until:
                log.warning("leaving with %d in flight: the time to drain is over", left)
                return
            await self._sleep(DRAIN_SECONDS)

    async def _beat(self, stream: Stream, wanted: frozenset[str]) -> frozenset[str]:
        """Send one beat; return the services whose definition control asks for."""
        self._changed.clear()
        _, wanted = await self._tell(stream, self._report(), wanted, self._pace.lease)
        return wanted

    async def _tell(
        self, stream: Stream, report: Report, wanted: frozenset[str], patience: float
    ) -> tuple[Answer, frozenset[str]]:
        """Send one beat; return the answer, and whose definition is to go with the next one.

        wanted: those that go with this one, changed or not. patience: seconds.
        """
        assert self.generation is not None
        self._sequence += 1
        revisions = {one.service.service_id: one.service.revision for one in report.services}
        grown = {key for key, value in revisions.items() if self._sent.get(key, 0) < value}
        defined = frozenset(grown) | (wanted & revisions.keys())
        grown_machine = _revision(report.machine) > self._machine_sent
        machine = report.machine if grown_machine else None
        beat = Beat(self.generation, self._sequence, report, defined, machine)
        self._beat_at = self._now()
        answer = await stream.beat(beat, patience)
        self._sent = revisions
        self._machine_sent = _revision(report.machine)
        self._pace = answer.pace
        self._answered(answer.pace)
        for service_id, reason in answer.refused.items():
            revision = revisions.get(service_id, 0)
            if self._refused.get(service_id) != revision:
                log.error("control refuses %s: %s", service_id, reason)
            self._refused[service_id] = revision
        # A definition that was just sent, or is refused, would be sent without end.
        refused = {key for key, value in self._refused.items() if revisions.get(key) == value}
        return answer, (answer.wanted & revisions.keys()) - defined - refused

    async def _until_changed(self, seconds: float) -> None:
        """Return after `seconds`, or as soon as something changed and may be told."""
        timer = asyncio.ensure_future(self._sleep(seconds))
        change = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({timer, change}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            change.cancel()
        # Whatever toggles here is control's business ten times a second at most.
        if (early := self._beat_at + MIN_WAIT_SECONDS - self._now()) > 0:
            await self._sleep(early)

    def _answered(self, pace: Pace) -> None:
        if self._complaint:
            log.info("control answers again")
        self._failures, self._complaint, self._spread = 0, "", False
        self._window = pace.reconnect_window

    async def _silent(self, error: Unavailable) -> None:
        """Wait before the next call to a control that does not answer."""
        self._complain(logging.WARNING, f"control is silent: {error}")
        patience = min(RETRY_SECONDS * 2 ** min(self._failures, 16), MAX_RETRY_SECONDS)
        self._failures += 1
        await self._remote.hang_up()
        await self._wait_within(max(patience, self._window))

    async def _wait_within(self, seconds: float) -> None:
        """Wait anything up to `seconds`, so that nodes cut off together return one by one."""
        self._spread = True
        await self._sleep(max(seconds * self._jitter(), MIN_WAIT_SECONDS))

    def _refuse(self, error: GenieHiveError) -> None:
        self.generation = None
        self._complain(logging.ERROR, f"control refuses this host: {error}")

    def _about(self, seconds: float) -> float:
        """Return a wait of 0.75 to 1.25 times `seconds`."""
        return seconds * (0.75 + 0.5 * self._jitter())

    def _complain(self, level: int, message: str) -> None:
        log.log(level if message != self._complaint else logging.DEBUG, "%s", message)
        self._complaint = message


def _revision(machine: Machine | None) -> int:
    return machine.revision if machine else 0
