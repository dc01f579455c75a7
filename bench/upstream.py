"""A fake engine that is not the bottleneck: one thread, one epoll, bytes made beforehand.

It answers in the shape of OpenAI, whole or as a stream, as the request says. Sockets and
epoll without an event loop on top: asyncio would cost more than all the rest.
"""

import contextlib
import heapq
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import requests
from bench.answers import Answers
from bench.polling import MAX_WAIT_SECONDS, ready, received

BACKLOG = 4_096
NANOSECONDS = 1_000_000_000


@dataclass(slots=True, eq=False)
class _Connection:
    socket: socket.socket
    unread: bytes = b""  # of a request that is not complete, or came during a stream
    last: bytes = b""  # the last read, if it was just one request for a whole answer
    left: int = 0  # events that the stream still sends
    streaming: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How a stream goes: so many events, so many nanoseconds apart."""

    events: int = 64
    gap: int = 5_000_000


@dataclass(slots=True)
class Upstream:
    """Serves one listening socket until `stopping` is true."""

    listener: socket.socket
    answers: Answers
    pace: Pace
    stopping: Callable[[], bool] = lambda: False
    _connections: dict[int, _Connection] = field(default_factory=dict)
    # (when the next event is due, order of arrival, its stream), soonest first.
    _due: list[tuple[int, int, _Connection]] = field(default_factory=list)
    _streams: int = 0

    def serve(self) -> None:
        """Answer requests."""
        self.listener.setblocking(False)
        listening = self.listener.fileno()
        connections = self._connections
        with select.epoll() as poller:
            poller.register(listening, select.EPOLLIN)
            try:
                while not self.stopping():
                    for number, _ in ready(poller, self._seconds_to_next()):
                        connection = connections.get(number)
                        if connection is not None:
                            self._read(connection)
                        elif number == listening:
                            self._accept(poller)
                    if self._due:
                        self._send_due(time.monotonic_ns())
            finally:
                for connection in connections.values():
                    connection.socket.close()

    def _seconds_to_next(self) -> float:
        if not self._due:
            return MAX_WAIT_SECONDS
        return (self._due[0][0] - time.monotonic_ns()) / NANOSECONDS

    def _accept(self, poller: select.epoll) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                accepted, _ = self.listener.accept()
                accepted.setblocking(False)
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections[accepted.fileno()] = _Connection(accepted)
                poller.register(accepted.fileno(), select.EPOLLIN)

    def _read(self, connection: _Connection) -> None:
        data = received(connection.socket)
        if data is None:
            return
        if not data or len(connection.unread) > requests.MAX_BYTES:
            self._close(connection)
            return
        if data == connection.last and not connection.unread and not connection.streaming:
            # Most clients repeat themselves, and comparing is cheaper than reading again.
            self._send(connection, self.answers.completion)
            return
        self._answer(connection, connection.unread + data)

    def _answer(self, connection: _Connection, data: bytes) -> None:
        """Answer the requests in `data`, and keep what follows them for later."""
        while data and not connection.streaming:
            try:
                found = requests.first(data)
            except ValueError:
                self._close(connection)
                return
            if found is None:
                break
            asked, length = found
            if asked == requests.COMPLETION and length == len(data):
                connection.last = data
            data = data[length:]
            if asked == requests.STREAM:
                self._start_stream(connection)
            else:
                self._send(connection, getattr(self.answers, asked))
        connection.unread = data

    def _start_stream(self, connection: _Connection) -> None:
        self._streams += 1
        connection.streaming = True
        connection.left = self.pace.events
        now = time.monotonic_ns()
        heapq.heappush(self._due, (now, self._streams, connection))
        self._send(connection, self.answers.opening)

    def _send_due(self, now: int) -> None:
        due, event, gap = self._due, self.answers.event, self.pace.gap
        while due and due[0][0] <= now:
            when, order, connection = due[0]
            if connection.left > 0 and self._send(connection, event):
                connection.left -= 1
                heapq.heapreplace(due, (when + gap, order, connection))
            else:
                heapq.heappop(due)
                connection.streaming = False
                if connection.left == 0 and self._send(connection, self.answers.closing):
                    self._answer(connection, connection.unread)

    def _send(self, connection: _Connection, data: bytes) -> bool:
        """Send all of `data`; whoever does not read what he asked for is cut off."""
        try:
            sent = connection.socket.send(data)
        except OSError:
            sent = 0
        if sent == len(data):
            return True
        self._close(connection)
        return False

    def _close(self, connection: _Connection) -> None:
        connection.left = -1
        self._connections.pop(connection.socket.fileno(), None)
        connection.socket.close()
