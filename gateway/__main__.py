"""The gateway: takes requests of clients, and carries them to the engines that serve them."""

import argparse
import asyncio
import gc
import logging
import secrets
import signal
import socket
import threading
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from control.api import ports
from control.api.auth import key_from
from control.api.channel import aio_channel
from control.api.process import give_up, loop_factory
from control.api.settings import SettingsError, read
from control.api.tls import channel_credentials
from gateway.app import build
from gateway.asgi import AsgiDoor
from gateway.config import Config
from gateway.control_link import ControlLink
from gateway.door import Door
from gateway.gateway import Gateway

log = logging.getLogger("gateway")

BACKLOG = 2_048


class Server(uvicorn.Server):
    """Tells the gateway when it stops taking requests, and when time for the rest is over.

    stopping: set by a signal that came before uvicorn listens to them.
    """

    def __init__(self, config: uvicorn.Config, gateway: Gateway, stopping: threading.Event) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            log.info("listening on %s", ports.join_address(*listener.getsockname()[:2]))
        self.should_exit = self.should_exit or self._stopping.is_set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        gateway = self._gateway
        gateway.draining = True
        log.info("stopping, %d requests in flight", len(gateway.active))
        loop = asyncio.get_running_loop()
        timer = loop.call_later(gateway.drain, gateway.stop)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()


async def serve(
    settings: Config,
    listener: socket.socket,
    credentials: grpc.ChannelCredentials | None,
    key: str | None,
    stopping: threading.Event,
    *,
    insecure: bool,
) -> None:
    """Serve until SIGINT or SIGTERM, then drain. insecure: to anybody, if there are no keys."""
    gateway = Gateway(settings, insecure=insecure)
    app: Any = build(gateway)
    protocol: Any = partial(Door, gateway)
    if settings.door == "asgi":
        app, protocol = AsgiDoor(gateway, app), HttpToolsProtocol
    server = Server(
        uvicorn.Config(
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
        ),
        gateway,
        stopping,
    )
    gateway_id = settings.gateway_id or f"{socket.gethostname()}-{secrets.token_hex(3)}"
    async with aio_channel(settings.control, credentials) as channel:
        link = ControlLink(gateway, channel, gateway_id, key)
        background = [
            asyncio.create_task(link.run()),
            asyncio.create_task(gateway.keep_sweeping()),
        ]
        try:
            await server.serve([listener])
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
    log.info("stopped")


def listen(address: str) -> socket.socket:
    """Return a socket that listens on `address`.

    Raises:
        OSError: the address cannot be had. ValueError: it is not one.
    """
    host, port = ports.parse_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def main() -> None:
    """Entry point of `python -m gateway`."""
    parser = argparse.ArgumentParser(prog="geniehive gateway", description=__doc__)
    parser.add_argument("--config", type=Path, help="settings, YAML; all keys have defaults")
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="serve beyond this machine although no client keys are set",
    )
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        settings, warnings = read(arguments.config, Config)
        tls = settings.tls
        credentials = channel_credentials(tls.ca, tls.certificate, tls.key) if tls else None
        key = key_from(settings.gateway_key_env)
        listener = listen(settings.listen)
    except SettingsError as error:
        give_up(error.problems)
    except ValueError as error:
        give_up([f"listen: {error}"])
    except OSError as error:
        give_up([_why_not(error, settings.listen)])
    for warning in warnings:
        log.warning("%s", warning)
    if arguments.insecure and not ports.is_loopback(settings.listen):
        log.warning("INSECURE: everybody who reaches %s may use all models", settings.listen)
    # uvicorn sends itself the signal that stopped it once more; it must not end us then.
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    # What exists now lives as long as the process; the collector need not look again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # an exchange leaves no cycles behind
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(
            serve(settings, listener, credentials, key, stopping, insecure=arguments.insecure)
        )


def _why_not(error: OSError, address: str) -> str:
    if error.filename is not None:
        return f"tls: {error.filename}: {(error.strerror or str(error)).lower()}"
    if error.errno is not None and "in use" in (error.strerror or ""):
        return f"{address} is {ports.describe(address)}; set `listen` to another port, or to port 0"
    return f"cannot listen on {address}: {(error.strerror or str(error)).lower()}"


if __name__ == "__main__":
    main()
