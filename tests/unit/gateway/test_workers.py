"""What the parent of the workers decides."""

import asyncio
import contextlib
import errno
import os
import signal
import socket

import pytest

from gateway import workers
from gateway.cells import COUNT, Busy, Cells
from gateway.config import Config
from gateway.listening import SPREADS, address_of, listen, listen_together
from gateway.place import READY, UP, VARIABLE, Place, place_in
from gateway.slots import Slots
from gateway.workers import MAX_RESTART_SECONDS, STEADY_SECONDS, end_of, pause_after, shared_out


@pytest.mark.parametrize(
    ("serving", "listeners", "shares"),
    [
        ([0, 1, 2], 3, {0: [0], 1: [1], 2: [2]}),
        ([2], 3, {2: [2, 0, 1]}),
        ([2, 1], 4, {1: [1, 0, 3], 2: [2]}),
        ([0, 1], 1, {0: [0], 1: [0]}),
        ([], 3, {}),
    ],
    ids=["all", "only-the-last", "two-of-four", "one-socket-for-all", "none"],
)
def test_each_listener_is_somebodys_as_long_as_anybody_serves(serving, listeners, shares):
    assert shared_out(serving, listeners) == shares


def test_a_worker_that_dies_again_and_again_is_restarted_ever_later():
    pauses = [0.0]
    for _ in range(8):
        pauses.append(pause_after(1.0, pauses[-1]))

    assert pauses[1:4] == [0.5, 1.0, 2.0]
    assert pauses[-1] == MAX_RESTART_SECONDS
    assert pause_after(STEADY_SECONDS, MAX_RESTART_SECONDS) == 0.0


@pytest.mark.parametrize(
    ("code", "said"),
    [(1, "ended with 1"), (-signal.SIGKILL, "was ended by SIGKILL"), (-99, "by signal 99")],
)
def test_the_end_of_a_process_is_said_as_people_know_it(code, said):
    assert end_of(code).endswith(said)


def test_a_place_survives_the_environment():
    place = Place(
        number=1,
        workers=2,
        gateway_id="g",
        insecure=False,
        patient=True,
        settings="{}",
        tether=3,
        cells=4,
        slots=5,
        listeners=[6, 7],
    )

    assert list(place.environment()) == [VARIABLE]
    assert place_in({**os.environ, **place.environment()}) == place
    assert place.name == "worker 2"


@pytest.mark.parametrize("count", [1, 3])
def test_all_listeners_have_one_port(count):
    listeners = listen_together("127.0.0.1:0", count)
    try:
        assert len({address_of(one) for one in listeners}) == 1
        assert len(listeners) == (count if SPREADS else 1)
        with pytest.raises(OSError, match="in use"):
            listen(address_of(listeners[0]))
        with pytest.raises(OSError, match="in use"):
            listen_together(address_of(listeners[0]), count)
    finally:
        for one in listeners:
            one.close()


@pytest.mark.skipif(not SPREADS, reason="elsewhere the last one gets all connections")
def test_gateways_that_agree_share_a_port():
    first = listen_together("127.0.0.1:0", 1, shared=True)
    second = listen_together(address_of(first[0]), 2, shared=True)

    assert {address_of(one) for one in second} == {address_of(first[0])}
    for one in (*first, *second):
        one.close()


class Started:
    """A process that serves at once, and ends when it is told to."""

    pid = 1

    def __init__(self, tether: int) -> None:
        self._line = socket.socket(fileno=os.dup(tether))
        self._line.send(UP + READY)
        self._ended = asyncio.Event()

    def send_signal(self, _number: int) -> None:
        self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        self._line.close()
        return 0


@pytest.mark.anyio
async def test_nobody_waits_for_what_a_frozen_worker_has(monkeypatch, caplog):
    async def start(*_args: str, pass_fds: list[int], **_kwargs: object) -> Started:
        return Started(pass_fds[0])

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(workers, "LOOK_SECONDS", 0.005)
    config = Config(listen="127.0.0.1:0", workers=1)
    with (
        contextlib.closing(Cells.create(1)) as cells,
        contextlib.closing(Slots.create(1)) as slots,
    ):
        cell = Cells(cells.fd, 1).cell("h/a")
        cell.count(Busy(4, 0.5))
        alone = workers.Workers(
            config, listen_together(config.listen, 1), "g", cells, slots, insecure=False
        )
        running = asyncio.create_task(alone.run())
        async with asyncio.timeout(20):
            while sum(cell.row) & COUNT:  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(0.005)
        alone.stop()
        await running
    assert caplog.text.count("worker 1 is frozen") == 1


@pytest.mark.anyio
async def test_a_worker_that_cannot_be_started_now_is_started_later(monkeypatch, caplog):
    """A machine that has no memory for another process for a while keeps those that run."""
    started: list[Started] = []
    outcomes = iter(["starts", "starts", "fails", "starts"])
    both_started, all_back = asyncio.Event(), asyncio.Event()

    async def start(*_args: str, pass_fds: list[int], **_kwargs: object) -> Started:
        if next(outcomes) == "fails":
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(Started(pass_fds[0]))
        if len(started) == 2:
            both_started.set()
        if len(started) == 3:
            all_back.set()
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(workers, "RESTART_SECONDS", 0.001)
    config = Config(listen="127.0.0.1:0", workers=2)
    with (
        contextlib.closing(Cells.create(2)) as cells,
        contextlib.closing(Slots.create(2)) as slots,
    ):
        listeners = listen_together(config.listen, 2)
        both = workers.Workers(config, listeners, "g", cells, slots, insecure=False)
        running = asyncio.create_task(both.run())
        await both_started.wait()
        started[0].send_signal(signal.SIGKILL)
        await all_back.wait()
        both.stop()

        assert await running == 0
    assert "could not be started (resource temporarily unavailable)" in caplog.text
