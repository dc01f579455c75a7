"""The node agent: looks at this machine's model servers and keeps them registered."""

import argparse
import asyncio
import contextlib
import logging
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path

import grpc

from control.api import logs
from control.api.auth import key_from
from control.api.channel import aio_channel
from control.api.errors import GenieHiveError
from control.api.process import allow_open_files, give_up, loop_factory
from control.api.settings import SettingsError, read
from control.api.tls import channel_credentials
from node import config
from node.engines import http
from node.inventory import watching
from node.keys import engine_keys
from node.relay import CannotOpen, Relay
from node.relay import wanted as relay_wanted
from node.remote import GrpcRemote
from node.session import Session
from node.watch import Watch

log = logging.getLogger("node")

FIRST_LOOK_SECONDS = 1.0  # slower servers are registered as not looked at yet
LEAVE_SECONDS = 2.0
OTHER_FILES = 512  # beside tunnels: who asks for one, looks at servers, control, files


async def run(
    settings: config.Config,
    credentials: grpc.ChannelCredentials | None,
    node_key: str | None,
    keys: Mapping[str, str],
) -> None:
    """Stay registered until SIGINT or SIGTERM, then drain and give the lease back.

    A second signal ends the draining. keys: what servers ask for, by service, where they do.
    """
    stop, cut = _stop_events()
    async with http.new_client() as client, contextlib.AsyncExitStack() as stack:
        watch = watching(settings, client, keys)

        def connect() -> grpc.aio.Channel:
            return aio_channel(settings.control, credentials)

        remote = GrpcRemote(connect(), secrets.token_hex(16), node_key, renew=connect)
        stack.push_async_callback(remote.close)
        door = Relay(settings, secrets.token_urlsafe(32), watch.changed.set)
        session = Session(remote, lambda: door.through(watch.report()), watch.changed)
        if relay_wanted(settings):
            stack.push_async_callback(door.close)
            await _open(door)
        async with asyncio.TaskGroup() as group:
            registered = group.create_task(_register(watch, session))
            lives = [group.create_task(watch.run()), group.create_task(door.keep())]
            await stop.wait()
            registered.cancel()
            await asyncio.wait({registered})
            busy = (lambda: door.busy) if relay_wanted(settings) else None
            lives.append(group.create_task(session.drain(settings.drain, busy)))
            await _first(lives[-1], cut)
            for life in lives:
                life.cancel()
        with contextlib.suppress(GenieHiveError, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await session.leave()
    log.info("stopped")


async def _open(door: Relay) -> None:
    """Open the door, or exit with 2."""
    try:
        await door.open()
    except CannotOpen as error:
        give_up([f"relay: {error}"])


async def _register(watch: Watch, session: Session) -> None:
    """Stay registered, from the start with whatever answers in time."""
    await watch.first_look(FIRST_LOOK_SECONDS)
    await session.run()


async def _first(task: asyncio.Task[None], event: asyncio.Event) -> None:
    """Return when `task` is over or `event` is set."""
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _within_open_files(settings: config.Config) -> config.Config:
    """Return settings with no more tunnels than this process may have files for, two for each.

    Without any left it would lose control and its servers, too.
    """
    asked = settings.relay.connections
    allowed = allow_open_files(2 * asked + OTHER_FILES)
    connections = max(1, (allowed - OTHER_FILES) // 2)
    if connections >= asked:
        return settings
    log.warning(
        "relay.connections is %d here, not %d: a process may have %d open files (ulimit -n)",
        connections,
        asked,
        allowed,
    )
    relay = settings.relay.model_copy(update={"connections": connections})
    return settings.model_copy(update={"relay": relay})


def _stop_events() -> tuple[asyncio.Event, asyncio.Event]:
    """Return what the first SIGINT or SIGTERM sets and what the next one sets, on every system."""
    loop, stop, cut = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def ask() -> None:
        (cut if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        # loop.add_signal_handler does not exist on Windows.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(ask))
    return stop, cut


def main() -> None:
    """Entry point of `python -m node`."""
    parser = argparse.ArgumentParser(prog="geniehive node", description=__doc__)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, YAML; optional")
    arguments = parser.parse_args()
    try:
        settings, warnings = read(arguments.config, config.Config)
        logs.configure(settings.log)
        node_key, keys = key_from(settings.node_key_env), engine_keys(settings)
        tls = settings.tls
        credentials = channel_credentials(tls.ca, tls.certificate, tls.key) if tls else None
    except SettingsError as error:
        give_up(error.problems)
    except OSError as error:
        give_up([f"tls: {error.filename}: {(error.strerror or str(error)).lower()}"])
    for warning in (*warnings, *config.out_of_reach(settings)):
        log.warning("%s", warning)
    if relay_wanted(settings):
        settings = _within_open_files(settings)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run(settings, credentials, node_key, keys))


if __name__ == "__main__":
    main()
