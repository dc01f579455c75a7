"""The load generator: sends requests over many connections and keeps every latency.

One thread, one epoll, as the fake engine: it has to be cheaper than what it measures.
"""

import contextlib
import select
import socket
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.polling import ready, received
from bench.processes import NOTHING, Usage
from bench.reading import Malformed, Reader
from bench.schedule import NANOSECONDS, ClosedLoop, OpenLoop, Schedule

CONNECT_SECONDS = 5.0


class Unreachable(Exception):
    """Nobody takes connections at the address."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, and for how long."""

    host: str
    port: int
    request: bytes  # head and body
    connections: int = 1
    seconds: float = 2.0  # that are measured
    warmup: float = 0.3  # seconds before
    rate: float | None = None  # requests a second; None: each connection sends when answered
    events: int | None = None  # that a stream must bring


@dataclass(slots=True)
class Record:
    """What happened in the measured time. Latencies are nanoseconds, in order of arrival.

    What ends in that time counts, whenever it began. A latency is that of a complete answer
    with status 200; a gap is the time between two events of a stream, those that arrive
    together have none.
    """

    latencies: "array[int]" = field(default_factory=lambda: array("Q"))
    first_bytes: "array[int]" = field(default_factory=lambda: array("Q"))  # of streams
    gaps: "array[int]" = field(default_factory=lambda: array("Q"))
    events: int = 0
    asked: int = 0  # events of the streams that ended, as many as they should have brought
    delivered: int = 0  # events that they brought
    errors: Counter[str] = field(default_factory=Counter)
    reconnected: int = 0
    unanswered: int = 0  # requests still on their way at the end
    unsent: int = 0  # requests that had no free connection at the end
    seconds: float = 0.0
    used: Usage = NOTHING  # by the process under test; memory at the end
    own_cpu_ns: int = 0  # by the load generator


@dataclass(slots=True, eq=False)
class _Connection:
    socket: socket.socket
    reader: Reader = field(default_factory=Reader)
    busy: bool = False
    meant: int = 0  # when the request was to go
    last_event: int = 0  # 0: none yet


def run(plan: Plan, usage: Callable[[], Usage] = lambda: NOTHING) -> Record:
    """Send by `plan`; return what happened.

    usage: asked at the beginning and at the end of the measured time.

    Raises:
        Unreachable: a connection cannot be opened at the start.
    """
    load = _Load(plan)
    try:
        return load.run(usage)
    finally:
        load.close()


class _Load:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._record = Record()
        self._schedule: Schedule = ClosedLoop()
        self._poller = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._free: deque[_Connection] = deque()

    def close(self) -> None:
        for connection in self._connections.values():
            connection.socket.close()
        self._poller.close()

    def run(self, usage: Callable[[], Usage]) -> Record:
        for _ in range(self._plan.connections):
            try:
                self._free.append(self._connect())
            except OSError as error:
                raise Unreachable((error.strerror or str(error)).lower()) from error
        start = time.monotonic_ns()
        if self._plan.rate is not None:
            self._schedule = OpenLoop(start, self._plan.rate)
        self._until(start + int(self._plan.warmup * NANOSECONDS))
        before, own, start = usage(), time.process_time_ns(), time.monotonic_ns()
        record = self._record = Record()  # what happened so far was warm-up
        self._until(start + int(self._plan.seconds * NANOSECONDS))
        end, after = time.monotonic_ns(), usage()
        record.seconds = (end - start) / NANOSECONDS
        record.own_cpu_ns = time.process_time_ns() - own
        record.used = Usage(after.cpu_ns - before.cpu_ns, after.rss_bytes)
        record.unanswered = sum(one.busy for one in self._connections.values())
        record.unsent = self._schedule.behind(end)
        return record

    def _until(self, end: int) -> None:
        connections, schedule, poller = self._connections, self._schedule, self._poller
        while connections and (now := time.monotonic_ns()) < end:
            # Each once: a request that is not taken puts a new connection at the end.
            for _ in range(len(self._free)):
                if (meant := schedule.take(now)) is None:
                    break
                self._send(self._free.popleft(), meant)
            wait = (end - now) / NANOSECONDS
            if self._free:
                wait = min(wait, schedule.wait(now))
            for number, _ in ready(poller, wait):
                # Whoever was closed earlier in this turn is gone.
                if connection := connections.get(number):
                    self._read(connection)

    def _connect(self) -> _Connection:
        address = (self._plan.host, self._plan.port)
        opened = socket.create_connection(address, CONNECT_SECONDS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setblocking(False)
        connection = self._connections[opened.fileno()] = _Connection(opened)
        self._poller.register(opened.fileno(), select.EPOLLIN)
        return connection

    def _send(self, connection: _Connection, meant: int) -> None:
        connection.reader.reset()
        connection.busy = True
        connection.meant = meant
        connection.last_event = 0
        try:
            sent = connection.socket.send(self._plan.request)
        except OSError:
            sent = 0
        if sent != len(self._plan.request):
            self._replace(connection, "not taken")

    def _read(self, connection: _Connection) -> None:
        data = received(connection.socket)
        if data is None:
            return
        now = time.monotonic_ns()
        reader = connection.reader
        if not connection.busy or not data:
            if connection.busy and reader.ended():
                self._answered(connection, now)
            self._replace(connection, "cut off" if connection.busy else None)
            return
        try:
            complete = reader.feed(data)
        except Malformed as error:
            self._replace(connection, str(error))
            return
        if reader.streams:
            self._streamed(connection, now, first=not connection.last_event)
        if complete:
            self._answered(connection, now)
            if reader.closes:
                self._replace(connection, None)
                return
            meant = None if self._free else self._schedule.take(now)
            if meant is None:
                self._free.append(connection)
            else:
                self._send(connection, meant)

    def _streamed(self, connection: _Connection, now: int, *, first: bool) -> None:
        fresh, record = connection.reader.fresh, self._record
        if not fresh:
            return
        record.events += fresh
        if first:
            record.first_bytes.append(now - connection.meant)
        else:
            record.gaps.append(now - connection.last_event)
        connection.last_event = now
        if fresh > 1:
            record.gaps.extend([0] * (fresh - 1))

    def _answered(self, connection: _Connection, now: int) -> None:
        reader, record = connection.reader, self._record
        connection.busy = False
        if reader.status != 200:
            record.errors[f"status {reader.status}"] += 1
            return
        record.latencies.append(now - connection.meant)
        if reader.streams and self._plan.events is not None:
            record.asked += self._plan.events
            record.delivered += min(reader.events, self._plan.events)

    def _replace(self, connection: _Connection, error: str | None) -> None:
        """Open a new connection for one that ended. error: what became of its request."""
        if error is not None:
            self._record.errors[error] += 1
        del self._connections[connection.socket.fileno()]
        connection.socket.close()
        with contextlib.suppress(ValueError):
            self._free.remove(connection)
        try:
            self._free.append(self._connect())
        except OSError:
            self._record.errors["no new connection"] += 1
        else:
            self._record.reconnected += 1
