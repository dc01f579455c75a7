"""The load generator against servers that misbehave; against a good one, see integration."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench.load import Plan, Record, Unreachable, run
from bench.targets import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept connections, one after the other, and let `answer` have each for one request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopped = threading.Event()
        listener.settimeout(0.05)

        def serve() -> None:
            while not stopped.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    if connection.recv(65_536):
                        answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopped.set()
            thread.join(30)


def sent(port: int, seconds: float = 0.5) -> Record:
    plan = Plan("127.0.0.1", port, b"POST / HTTP/1.1\r\n\r\n", seconds=seconds, warmup=0.0)
    return run(plan)


def test_who_closes_after_every_answer_is_connected_to_again():
    closing = OK.replace(b"Content", b"Connection: close\r\nContent", 1)
    with serving(lambda connection: connection.sendall(closing)) as port:
        found = sent(port)

    assert len(found.latencies) > 0
    assert found.reconnected >= len(found.latencies) - 1
    assert not found.errors


def test_other_statuses_are_errors_and_no_latencies():
    with serving(lambda connection: connection.sendall(BUSY)) as port:
        found = sent(port)

    assert len(found.latencies) == 0
    assert found.errors["status 503"] > 0


def test_an_answer_that_is_cut_is_an_error():
    with serving(lambda connection: connection.sendall(OK[:-1])) as port:
        found = sent(port)

    assert len(found.latencies) == 0
    assert found.errors["cut off"] > 0


def test_what_is_no_answer_is_an_error_by_its_name():
    with serving(lambda connection: connection.sendall(b"SSH-2.0\r\n\r\n")) as port:
        found = sent(port)

    assert found.errors["a head without a status or length"] > 0


def test_nobody_there_is_said_at_once():
    with pytest.raises(Unreachable):
        sent(free_port())


def test_who_goes_away_ends_the_run():
    """All connections are lost, and none can be had again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=_take_one_and_leave, args=(listener,))
        thread.start()
        found = sent(port, seconds=60.0)
        thread.join(30)

    assert found.errors["no new connection"] == 1
    assert found.seconds < 60


def _take_one_and_leave(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    listener.close()
    connection.recv(65_536)
    connection.close()
