"""The gateway: takes requests of clients, and carries them to the engines that serve them."""

import argparse
import asyncio
import logging
import secrets
import socket
import sys
from functools import partial
from pathlib import Path

from control.api import logs, ports
from control.api.process import allow_open_files, give_up
from control.api.settings import SettingsError, read
from gateway.config import MAX_WORKERS, Config
from gateway.listening import listen_together

log = logging.getLogger("gateway")

OTHER_FILES = 256  # idle connections to engines, streams of control, logs


def main() -> None:
    """Entry point of `python -m gateway`."""
    arguments = _arguments()
    try:
        settings, warnings = read(arguments.config, Config)
        logs.configure(settings.log)
        if arguments.workers is not None:
            settings = settings.model_copy(update={"workers": arguments.workers})
        listeners = listen_together(settings.listen, settings.workers, shared=settings.reuse_port)
    except SettingsError as error:
        give_up(error.problems)
    except ValueError as error:
        give_up([f"listen: {error}"])
    except OSError as error:
        give_up([_why_not(error, settings.listen)])
    for warning in warnings:
        log.warning("%s", warning)
    insecure: bool = arguments.insecure
    if insecure and not ports.is_loopback(settings.listen):
        log.warning("INSECURE: everybody who reaches %s may use all models", settings.listen)
    settings = _within_open_files(settings)
    gateway_id = settings.gateway_id or f"{socket.gethostname()}-{secrets.token_hex(3)}"
    # Only what serves imports gRPC and FastAPI: a parent of workers stays small.
    if settings.workers == 1:
        from gateway.worker import accept_alone, run

        begin = partial(accept_alone, shared=settings.reuse_port)
        run(settings, listeners, gateway_id, begin, insecure=insecure)
    else:
        from gateway.workers import supervise

        sys.exit(asyncio.run(supervise(settings, listeners, gateway_id, insecure=insecure)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="geniehive gateway", description=__doc__)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, YAML; optional")
    parser.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        help="processes that serve, about one a core; instead of `workers` of the settings",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="serve beyond this machine although no client keys are set",
    )
    return parser.parse_args()


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_WORKERS):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to {MAX_WORKERS}")
    return int(text)


def _within_open_files(settings: Config) -> Config:
    """Return settings with no more connections than a process may have files for.

    Without any left it would lose control, too. A client's request needs two: one to an engine.
    """
    asked = settings.limits.connections
    allowed = allow_open_files(2 * asked + OTHER_FILES)
    connections = max(1, (allowed - OTHER_FILES) // 2)
    if connections >= asked:
        return settings
    log.warning(
        "limits.connections is %d here, not %d: a process may have %d open files (ulimit -n)",
        connections,
        asked,
        allowed,
    )
    limits = settings.limits.model_copy(update={"connections": connections})
    return settings.model_copy(update={"limits": limits})


def _why_not(error: OSError, address: str) -> str:
    if error.errno is not None and "in use" in (error.strerror or ""):
        return f"{address} is {ports.describe(address)}; set `listen` to another port, or to port 0"
    return f"cannot listen on {address}: {(error.strerror or str(error)).lower()}"


if __name__ == "__main__":
    main()
