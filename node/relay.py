"""The door for gateways elsewhere to model servers that only this machine reaches."""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlsplit

from control.api.ports import is_loopback, join_address, parse_address
from control.api.secret_files import read_secret
from node import config
from node.relay_head import Refused
from node.state import Report, Watched
from node.tunnel import HEAD_SECONDS, GatewaySide
from node.way import Way

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0  # a machine may move to another network at any time
COMPLAINT_SECONDS = 60.0
MAX_ASKING = 128  # connections beside these that have not said yet what they want


class CannotOpen(Exception):
    """There is no door. The message says why, and what helps."""


def wanted(settings: config.Config) -> bool:
    """Return whether gateways may need the door: they may be where control is, elsewhere."""
    mode = settings.relay.mode
    return mode == "always" or (mode == "auto" and not is_loopback(settings.control))


def only_here(url: str) -> bool:
    """Return whether only this machine reaches `url`, in a way that bytes can be passed on."""
    parts = urlsplit(url)
    return parts.scheme == "http" and is_loopback(join_address(parts.hostname or "", 0))


class Relay:
    """Keeps the door open. token: what gateways present; they have it from control.

    changed: called when services have to be told anew, because the way to them changed.
    """

    def __init__(
        self,
        settings: config.Config,
        token: str,
        changed: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.token = token
        self._settings = settings.relay
        self._control = settings.control
        self._changed = changed
        self._now = now
        self._asking: dict[GatewaySide, None] = {}  # the longest first
        self._sides: set[GatewaySide] = set()  # of those that asked as they must
        self._server: asyncio.Server | None = None
        self._port = 0
        self._way: Way | None = None
        self._ways = 0  # so far
        self._offered: dict[str, str] = {}  # URL by service
        self._complained_at = float("-inf")

    @property
    def tunnels(self) -> int:
        """How many connections are passed on now."""
        return sum(side.other is not None for side in self._sides)

    @property
    def busy(self) -> int:
        """In how many of them a request may be under way."""
        return sum(side.busy for side in self._sides)

    async def open(self) -> None:
        """Listen, and offer the way to here.

        Raises:
            CannotOpen: the address cannot be had, or the certificate cannot be used.
        """
        listen, tls = self._settings.listen, self._settings.tls
        # Before and after TLS is spoken a connection is nobody's, and not counted.
        limit = HEAD_SECONDS if tls else None
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: GatewaySide(self),
                *parse_address(listen),
                ssl=_context(tls) if tls else None,
                ssl_handshake_timeout=limit,
                ssl_shutdown_timeout=limit,
            )
        except (OSError, UnicodeError) as error:  # the latter for a name that DNS cannot hold
            why = (getattr(error, "strerror", None) or str(error)).lower()
            raise CannotOpen(
                f"cannot listen on {listen}: {why}; set another relay.listen"
            ) from error
        self._port = self._server.sockets[0].getsockname()[1]
        await self._look()

    async def keep(self) -> None:
        """Offer the way anew whenever it changes, until cancelled; at once if it is not open."""
        while self._server is not None:
            await asyncio.sleep(LOOK_SECONDS)
            await self._look()

    def through(self, report: Report) -> Report:
        """Return `report` with the way to what only this machine reaches, open from now on."""
        services = [self._led(one) for one in report.services if self._reachable(one)]
        self._offered = {
            one.service.service_id: one.service.endpoint for one in services if one.service.way
        }
        return replace(report, services=tuple(services))

    async def close(self) -> None:
        """Close the door and end what goes through it."""
        if self._server is not None:
            self._server.close()
        for side in (*self._asking, *self._sides):
            side.transport.abort()

    # What tunnels ask.

    def arrived(self, side: GatewaySide) -> None:
        """See `node.tunnel.Keeper`."""
        self._asking[side] = None
        if len(self._asking) > MAX_ASKING:
            # Gateways ask at once: who holds back most is no gateway.
            next(iter(self._asking)).give_up()

    def find(self, service_id: str) -> str:
        """See `node.tunnel.Keeper`."""
        if (url := self._offered.get(service_id)) is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no such service here")
        if len(self._sides) >= self._settings.connections:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "as many connections as there may be")
        return url

    def admitted(self, side: GatewaySide) -> None:
        """See `node.tunnel.Keeper`."""
        del self._asking[side]
        self._sides.add(side)

    def left(self, side: GatewaySide) -> None:
        """See `node.tunnel.Keeper`."""
        self._asking.pop(side, None)
        self._sides.discard(side)

    def refused(self, side: GatewaySide, error: Refused) -> None:
        """See `node.tunnel.Keeper`."""
        self.left(side)
        if self._now() - self._complained_at >= COMPLAINT_SECONDS:
            self._complained_at = self._now()
            log.warning("relay: refused a connection: %s", error)

    def _reachable(self, watched: Watched) -> bool:
        # Whoever is told its address before the way there would ask a server of its own.
        return (
            self._server is None or self._way is not None or not only_here(watched.service.endpoint)
        )

    def _led(self, watched: Watched) -> Watched:
        service, way = watched.service, self._way
        if way is None or not only_here(service.endpoint):
            return watched
        # Another way makes another definition of it.
        revision = service.revision + self._ways
        return replace(watched, service=replace(service, way=way, revision=revision))

    async def _look(self) -> None:
        tls, address = self._settings.tls, self._settings.address
        if not address:
            if (host := await _own_host(self._control)) is None:
                return
            address = join_address(host, self._port)
        elif not _has_port(address):
            address = join_address(address, self._port)
        way = Way(address, self.token, tls=tls is not None, tls_name=tls.name if tls else "")
        if way != self._way:
            self._way = way
            self._ways += 1
            self._changed()
            log.info("relaying for gateways at %s", address)


def _context(tls: config.RelayTls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        read_secret(tls.key)  # one that everybody may read is none
        context.load_cert_chain(tls.certificate, tls.key, password="")  # nobody is asked for one
    except ssl.SSLError as error:
        raise CannotOpen(
            f"tls: {tls.certificate} and {tls.key} are not a certificate and its key, PEM"
        ) from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CannotOpen(f"tls: {tls.certificate} or {tls.key}: {why}") from error
    return context


def _has_port(address: str) -> bool:
    try:
        parse_address(address)
    except ValueError:
        return False
    return True


async def _own_host(remote: str) -> str | None:
    """Return by which address this machine reaches `remote`, None while it does not."""
    host, port = parse_address(remote)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, kind, _, _, address = found[0]
        with socket.socket(family, kind) as asking:
            asking.connect(address)  # sends nothing: the system only chooses the way
            own: str = asking.getsockname()[0]
            return own
    except (OSError, UnicodeError):  # the latter for a name that DNS cannot hold
        return None
