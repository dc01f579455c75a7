"""The parent of a gateway's workers: starts them, restarts what dies, and stops them in order."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from control.api.process import EXIT_CANNOT_START
from gateway.cells import Cells
from gateway.config import Config
from gateway.listening import address_of
from gateway.place import READY, UP, Place
from gateway.slots import Slots

log = logging.getLogger("gateway")

START_SECONDS = 60.0  # a cold disk; usually half a second
STEADY_SECONDS = 60.0  # a worker that lived this long is restarted at once
RESTART_SECONDS = 0.5  # for others, doubled each time
MAX_RESTART_SECONDS = 10.0
LOOK_SECONDS = 1.0  # between two looks whether workers write, as they do once a second
STILL = 5  # looks in a row at which one had written nothing: it is frozen
KILL_SECONDS = 1.5  # after the time to drain; workers need less than a second of it


@dataclass(slots=True)
class Worker:
    """A worker process, and the line to it: it ends with us, and hears where to accept."""

    number: int
    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def end(self, number: signal.Signals) -> None:
        """Send it a signal; harmless when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


class Workers:
    """All workers of one gateway."""

    def __init__(
        self,
        settings: Config,
        listeners: Sequence[socket.socket],
        gateway_id: str,
        cells: Cells,
        slots: Slots,
        *,
        insecure: bool,
    ) -> None:
        self._settings = settings
        self._listeners = listeners
        self._gateway_id = gateway_id
        self._cells = cells
        self._slots = slots
        self._insecure = insecure
        self._alive: dict[int, Worker] = {}
        self._serving: dict[int, Worker] = {}
        self._first = asyncio.Event()  # set when one serves
        self._stop = asyncio.Event()
        self._exit_code = 0

    def stop(self) -> None:
        """Stop all workers; `run` returns when they are gone. Harmless when repeated."""
        self._stop.set()
        for worker in self._alive.values():
            worker.end(signal.SIGTERM)

    async def run(self) -> int:
        """Keep all workers running until `stop`; return the exit code."""
        keeping = [
            asyncio.create_task(self._keep(number)) for number in range(self._settings.workers)
        ]
        beside = [asyncio.create_task(self._stop_in_time()), asyncio.create_task(self._watch())]
        try:
            await asyncio.gather(*keeping)
        finally:
            for task in beside:
                task.cancel()
            for worker in self._alive.values():
                worker.end(signal.SIGKILL)
        return self._exit_code

    async def _stop_in_time(self) -> None:
        await self._stop.wait()
        # New connections would go on to wait in these for ever.
        for listener in self._listeners:
            listener.close()
        await asyncio.sleep(self._settings.drain + KILL_SECONDS)
        for worker in self._alive.values():
            log.error("worker %d did not stop: killed", worker.number + 1)
            worker.end(signal.SIGKILL)

    async def _watch(self) -> None:
        """Let nobody wait for what a frozen worker has at services."""
        looks = dict.fromkeys(range(self._settings.workers), (0, 0))
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for number, (before, still) in looks.items():
                turn = self._slots.turn(number)
                still = still + 1 if turn == before and number in self._serving else 0
                looks[number] = turn, still
                if still == STILL:
                    log.warning("worker %d is frozen: nobody waits for its requests", number + 1)
                if still >= STILL:
                    self._cells.suspend(number)

    async def _keep(self, number: int) -> None:
        """Start one worker again whenever it ends, until all are stopped."""
        if number > 0:
            # What one cannot do, all cannot: the first tells, and the others need not try.
            await _first_of(self._first, self._stop)
        pause = 0.0
        while not self._stop.is_set():
            born = time.monotonic()
            try:
                worker = await self._start(number)
            except OSError as error:  # no memory, process or file is left; others serve on
                why = (error.strerror or str(error)).lower()
                code, end = 0, f"could not be started ({why})"
            else:
                code = await self._life(worker)
                end = end_of(code)
            if self._stop.is_set():
                # One that was just being started does not know the signal yet.
                drained = code in (0, -signal.SIGTERM)
                self._exit_code = self._exit_code if drained else 1
                return
            if not self._first.is_set():
                self._exit_code = code if code == EXIT_CANNOT_START else 1
                log.error("worker %d %s before it served", number + 1, end)
                self.stop()
                return
            pause = pause_after(time.monotonic() - born, pause)
            when = f"in {pause:.1f} s" if pause else "at once"
            log.warning("worker %d %s, starting it again %s", number + 1, end, when)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()

    async def _life(self, worker: Worker) -> int:
        """Wait for the end of a worker; return its exit code."""
        number = worker.number
        self._alive[number] = worker
        if self._stop.is_set():
            worker.end(signal.SIGTERM)
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.reader.readuntil(UP)
            await worker.reader.readuntil(READY)
        except TimeoutError:
            log.error("worker %d did not start: killed", number + 1)
            worker.end(signal.SIGKILL)
        except (asyncio.IncompleteReadError, OSError):
            pass  # it ended before
        else:
            if not self._stop.is_set():
                self._serve(worker)
        code = await worker.process.wait()
        del self._alive[number]
        worker.writer.close()
        # Its requests ended with it.
        self._cells.clear(number)
        if self._serving.pop(number, None) is not None and not self._stop.is_set():
            self._share_out()
        return code

    def _serve(self, worker: Worker) -> None:
        self._serving[worker.number] = worker
        self._share_out()
        log.info("worker %d serves, pid %d", worker.number + 1, worker.process.pid)
        if not self._first.is_set():
            self._first.set()
            log.info("listening on %s", address_of(self._listeners[0]))

    def _share_out(self) -> None:
        """Tell all workers which listeners are theirs now."""
        shares = shared_out(self._serving.keys(), len(self._listeners))
        for number, worker in self._serving.items():
            worker.writer.write(b"%b\n" % " ".join(map(str, shares[number])).encode())

    async def _start(self, number: int) -> Worker:
        ours, theirs = socket.socketpair()
        listeners = [] if self._stop.is_set() else [one.fileno() for one in self._listeners]
        place = Place(
            number=number,
            workers=self._settings.workers,
            gateway_id=self._gateway_id,
            insecure=self._insecure,
            patient=bool(self._serving),
            settings=self._settings.model_dump_json(),
            tether=theirs.fileno(),
            cells=self._cells.fd,
            slots=self._slots.fd,
            listeners=listeners,
        )
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-P",  # a ./gateway folder in the current directory must not win
                    "-m",
                    "gateway.worker",
                    stdin=asyncio.subprocess.DEVNULL,
                    env={**os.environ, **place.environment()},
                    pass_fds=[theirs.fileno(), self._cells.fd, self._slots.fd, *listeners],
                    # Ctrl-C of the terminal is for us; we stop the workers in order.
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        reader, writer = await asyncio.open_connection(sock=ours)
        return Worker(number, process, reader, writer)


async def supervise(
    settings: Config, listeners: Sequence[socket.socket], gateway_id: str, *, insecure: bool
) -> int:
    """Run the workers until SIGINT or SIGTERM; return the exit code."""
    with (
        contextlib.closing(Cells.create(settings.workers)) as cells,
        contextlib.closing(Slots.create(settings.workers)) as slots,
    ):
        workers = Workers(settings, listeners, gateway_id, cells, slots, insecure=insecure)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, workers.stop)
        code = await workers.run()
    log.info("stopped")
    return code


def shared_out(serving: Collection[int], listeners: int) -> dict[int, list[int]]:
    """Return which listeners each worker accepts from.

    serving: numbers of the workers that can, at least one.

    A listener has the number of its worker. What has none now goes to the first that serves:
    clients are spread over all listeners, and would wait. A single one is for all.
    """
    if listeners == 1:
        return {number: [0] for number in serving}
    shares = {number: [number] for number in serving}
    if shares:
        shares[min(shares)] += [number for number in range(listeners) if number not in shares]
    return shares


def pause_after(lived: float, before: float) -> float:
    """Return how long to wait before a worker is started again.

    lived: seconds; before: the pause before that life, 0 for none.
    """
    if lived >= STEADY_SECONDS:
        return 0.0
    return min(max(RESTART_SECONDS, before * 2), MAX_RESTART_SECONDS)


def end_of(code: int) -> str:
    """Return how a process ended: `ended with 1`, `was ended by SIGKILL`."""
    if code >= 0:
        return f"ended with {code}"
    known = {-int(one): one.name for one in signal.Signals}
    return f"was ended by {known.get(code, f'signal {-code}')}"


async def _first_of(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
