"""The process that takes requests: the only one of a gateway, or one of several workers."""

import asyncio
import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from importlib import metadata
from typing import Any

import grpc
import uvicorn

from control.api import logs
from control.api.auth import key_from
from control.api.channel import aio_channel
from control.api.process import favour_loop, give_up, loop_factory
from control.api.settings import SettingsError
from control.api.tls import channel_credentials
from control.api.tracing import start as start_tracing
from gateway.app import build
from gateway.asgi import AsgiDoor
from gateway.cells import Cells
from gateway.client import PlainClient
from gateway.config import Config
from gateway.control_calls import ControlCalls
from gateway.control_link import ControlLink
from gateway.door import Door
from gateway.gateway import Gateway
from gateway.listening import BACKLOG, address_of
from gateway.memory import Memory
from gateway.named import Named
from gateway.place import READY, UP, Place, place_in
from gateway.requests import router as remembered
from gateway.scrape import Scrape
from gateway.scrape import router as scraped
from gateway.slots import Slots

log = logging.getLogger("gateway")

# After the time to drain: for the last words to clients, then for the last report to control.
LAST_WORDS_SECONDS = 0.3
LAST_REPORT_SECONDS = 0.4
LAST_SPANS_SECONDS = 1.0
GRACE_SECONDS = 0.1  # before connections without a request are closed
MAX_WAITING = 4 * BACKLOG  # connections taken from a queue that is about to be closed
TAKE_OVER_SECONDS = 10.0  # then clients are told that this gateway is not ready
LOOK_SECONDS = 0.05  # between two looks whether tables have come

# Another gateway took the port while this one was not ready, and does not share it.
CANNOT_LISTEN = "cannot listen any more: %s"

Begin = Callable[["Server"], Awaitable[None]]


class Server(uvicorn.Server):
    """Accepts clients on some of `listeners`, and drains when it is told to stop.

    begin: called when it is ready to accept, to say on which of them.
    stopping: set by a signal that came before uvicorn listens to them.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        gateway: Gateway,
        listeners: Sequence[socket.socket],
        begin: Begin,
        stopping: threading.Event,
    ) -> None:
        super().__init__(config)
        self.listeners = listeners
        self.following: asyncio.Task[None] | None = None  # what says where to accept
        self.gateway = gateway
        self._begin = begin
        self._stopping = stopping
        self._taken: dict[int, asyncio.Server] = {}

    async def accept(self, numbers: Collection[int]) -> None:
        """Accept clients on the listeners with these numbers from now on, and on no others."""
        if self.should_exit:
            return
        for number in self._taken.keys() - set(numbers):
            self._taken.pop(number).close()
        for number in set(numbers) - self._taken.keys():
            # A duplicate: it is closed with the server, and the listener may be taken again.
            listener = self.listeners[number].dup()
            listener.listen(BACKLOG)  # uvloop does, too, and does not tell when it cannot
            self._taken[number] = await asyncio.get_running_loop().create_server(
                self._connection, sock=listener, backlog=BACKLOG
            )
        self.servers = list(self._taken.values())

    def _connection(self, _loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state={}, _loop=_loop
        )
        return made

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        self.should_exit = self.should_exit or self._stopping.is_set()
        await self._begin(self)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        gateway = self.gateway
        gateway.draining = True
        log.info("stopping, %d in flight", len(gateway.active))
        loop = asyncio.get_running_loop()
        timers = [
            loop.call_later(gateway.drain, gateway.stop),
            loop.call_later(gateway.drain + LAST_WORDS_SECONDS, self._cut),
        ]
        await asyncio.gather(*map(self._close, self._taken))
        for listener in self.listeners:
            listener.close()
        # Who has just connected is about to ask.
        await asyncio.sleep(GRACE_SECONDS)
        try:
            await super().shutdown(sockets=[])
        finally:
            for timer in timers:
                timer.cancel()

    async def _close(self, number: int) -> None:
        """Accept who waits at a listener, and nobody more: who still waits then is reset."""
        listener = self.listeners[number]
        waiting = select.poll()
        waiting.register(listener, select.POLLIN)
        for _ in range(MAX_WAITING):
            if not waiting.poll(0):
                break
            await asyncio.sleep(0)
        # Siblings may hold it too: this ends it for all of them, closing would not.
        with contextlib.suppress(OSError):  # not every system knows it
            listener.shutdown(socket.SHUT_RDWR)
        self._taken[number].close()

    def _cut(self) -> None:
        """End connections of clients that do not read their last word, or never asked."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def http_config(
    gateway: Gateway, settings: Config, control: ControlCalls, scrape: Scrape | None = None
) -> uvicorn.Config:
    """Return how uvicorn serves clients of `gateway`, behind the door that `settings` name."""
    built = build(gateway, control)
    scrape = scrape or Scrape(gateway)
    built.include_router(scraped(gateway, scrape))
    built.include_router(remembered(gateway, scrape.told))
    # Around all that the framework does, which answers bugs of ours outside of middleware.
    app: Any = Named(gateway, built)
    protocol: Any = partial(Door, gateway)
    if settings.door == "asgi":
        app, protocol = AsgiDoor(gateway, app), partial(PlainClient, gateway)
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(settings.timeouts.keep_alive),
        timeout_graceful_shutdown=int(settings.drain) + 1,
    )


async def serve(
    settings: Config,
    listeners: Sequence[socket.socket],
    gateway_id: str,
    begin: Begin,
    credentials: grpc.ChannelCredentials | None,
    key: str | None,
    stopping: threading.Event,
    *,
    insecure: bool,
    cells: Cells | None,
    slots: Slots | None,
) -> None:
    """Serve until SIGINT or SIGTERM, then drain.

    insecure: to anybody, if there are no keys. cells, slots: shared with other workers.
    """
    tracer = start_tracing(
        settings.tracing, "geniehive-gateway", metadata.version("geniehive"), gateway_id
    )
    part = f"worker {slots.number + 1}" if slots is not None else ""
    gateway = Gateway(settings, insecure=insecure, cells=cells, tracer=tracer, part=part)
    async with aio_channel(settings.control, credentials) as channel:
        scrape = Scrape(gateway, slots, lambda: len(server.server_state.connections))
        http = http_config(gateway, settings, ControlCalls(channel, key), scrape)
        server = Server(http, gateway, listeners, begin, stopping)
        link = ControlLink(gateway, channel, gateway_id, key)
        background = [
            asyncio.create_task(link.run()),
            asyncio.create_task(gateway.keep_sweeping()),
            asyncio.create_task(scrape.run()),
            asyncio.create_task(
                Memory(gateway, settings.state_folder, key, settings.control).run()
            ),
        ]
        if gateway.request_log is not None:
            background.append(asyncio.create_task(gateway.request_log.run(sys.stderr)))
        try:
            await server.serve()
            await link.flush(LAST_REPORT_SECONDS)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
    if tracer is not None:
        tracer.stop(LAST_SPANS_SECONDS)
    log.info("stopped")


async def accept_alone(server: Server, *, shared: bool) -> None:
    """Begin as the only process of a gateway.

    shared: another gateway may serve the port, and better as long as this one is not ready.
    """

    async def begin() -> None:
        if shared:
            await _until(lambda: server.gateway.ready, TAKE_OVER_SECONDS)
        try:
            await server.accept([0])
        except OSError as error:
            log.error(CANNOT_LISTEN, error)
            server.should_exit = True
        else:
            log.info("listening on %s", address_of(server.listeners[0]))

    server.following = asyncio.create_task(begin())


async def accept_as_told(place: Place, server: Server, *, shared: bool) -> None:
    """Begin as one of several workers: tell the parent, and accept on the listeners it names.

    When the parent is gone, stop: nobody would restart or stop us any more. shared: as above.
    """
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=place.tether))
    writer.write(UP)

    def ready_or_alone() -> bool:
        return server.gateway.ready or reader.at_eof()

    async def follow() -> None:
        try:
            if place.patient:
                await _until(ready_or_alone)
            elif shared:
                await _until(ready_or_alone, TAKE_OVER_SECONDS)
            if not writer.is_closing():
                writer.write(READY)
            while line := await reader.readline():
                await server.accept([int(word) for word in line.split()])
        except ConnectionError:
            pass  # the parent is gone
        except OSError as error:
            log.error(CANNOT_LISTEN, error)
        finally:
            writer.close()
            server.should_exit = True

    server.following = asyncio.create_task(follow())


async def _until(fact: Callable[[], bool], seconds: float | None = None) -> None:
    """Wait for `fact`, at most so many seconds. It sends no event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not fact():  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)


def run(
    settings: Config,
    listeners: Sequence[socket.socket],
    gateway_id: str,
    begin: Begin,
    *,
    insecure: bool,
    cells: Cells | None = None,
    slots: Slots | None = None,
) -> None:
    """Serve until a signal; exit with 2 when the settings name what cannot be used."""
    tls = settings.tls
    try:
        credentials = channel_credentials(tls.ca, tls.certificate, tls.key) if tls else None
        key = key_from(settings.gateway_key_env)
    except SettingsError as error:
        give_up(error.problems)
    except OSError as error:
        give_up([f"tls: {error.filename}: {(error.strerror or str(error)).lower()}"])
    # uvicorn sends itself the signal that stopped it once more; it must not end us then.
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    # What exists now lives as long as the process; the collector need not look again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # an exchange leaves no cycles behind
    favour_loop()  # the last-known-good file is written by a thread
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(
            serve(
                settings,
                listeners,
                gateway_id,
                begin,
                credentials,
                key,
                stopping,
                insecure=insecure,
                cells=cells,
                slots=slots,
            )
        )


def main() -> None:
    """Entry point of a worker, `python -m gateway.worker`; the environment tells the rest."""
    place = place_in(os.environ)
    settings = Config.model_validate_json(place.settings)
    logs.configure(settings.log, place.name)
    run(
        settings,
        [socket.socket(fileno=number) for number in place.listeners],
        f"{place.gateway_id}.{place.number + 1}",
        partial(accept_as_told, place, shared=settings.reuse_port),
        insecure=place.insecure,
        cells=Cells(place.cells, place.workers, place.number),
        slots=Slots(place.slots, place.workers, place.number),
    )


if __name__ == "__main__":
    main()
