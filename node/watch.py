"""Keeps looking at the model servers of this machine, each on its own."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import urlsplit

from control.api.ports import is_loopback, join_address
from node import assets, config, state
from node.engines.detect import Found
from node.engines.sight import Sight
from node.machine.observer import Observer
from node.rolling import Rolling

log = logging.getLogger(__name__)

# A beat is due every 5 s and tells what was seen last, so that it is 1 s old on average;
# more often would tell nobody more. A look costs llama.cpp 0.4 ms and the node 2.4 ms.
SETTLED_SECONDS = 2.0
UNSETTLED_SECONDS = 0.5  # while a server loads or is away, people wait for it
DETECT_SECONDS = 5.0
PORTS = "ports"  # no service id: those hold a slash

Look = Callable[[str, str | None, str], Awaitable[Sight]]
Detect = Callable[[Iterable[int]], Awaitable[list[Found]]]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Server:
    """One server, looked at once for all services that are declared for it."""

    url: str
    asked_as: str | None  # None: find out
    key: str
    service_ids: list[str] = field(default_factory=list)
    port: int | None = None  # where it was found; None when it is declared
    engine: str | None = None  # what it turned out to be; None while it is away
    answers: bool = False  # the last look at it found it healthy
    rolling: Rolling = field(default_factory=Rolling)


class Watch:
    """The services of this host and what is seen of them.

    keys: what servers ask for, by service, where they do. now: seconds of a clock.
    observer: of the machine itself.
    `changed` is set whenever control should hear of it now; whoever tells it clears it.
    """

    def __init__(
        self,
        settings: config.Config,
        look: Look,
        detect: Detect,
        sleep: Sleep = asyncio.sleep,
        keys: Mapping[str, str] = MappingProxyType({}),
        now: Callable[[], float] = time.monotonic,
        observer: Observer | None = None,
    ) -> None:
        self.changed = asyncio.Event()
        self._observer = Observer(settings) if observer is None else observer
        self._host_id = settings.node.host_id
        self._look = look
        self._detect = detect
        self._sleep = sleep
        self._now = now
        self._undetected = set(settings.detect_ports or ())
        self._finds = settings.finds
        self._declared = {settings.full_id(one.service_id): one for one in settings.services}
        self._watched: dict[str, state.Watched] = {}
        self._asset_count = self._described = 0  # of all that is watched
        for service_id, one in self._declared.items():
            self._put(service_id, state.declared(one, service_id, keys.get(service_id, "")))
        self._servers = _servers(self._declared, keys)
        # What the first look waits for; PORTS stands for all that are looked on.
        self._not_looked_at = {*self._declared, PORTS}
        self._looked = asyncio.Event()

    def report(self) -> state.Report:
        """Return everything that is known now."""
        observer = self._observer
        services = tuple(state.lent(one, observer.forbidden) for one in self._watched.values())
        return state.Report(observer.host, observer.metrics, services, observer.machine)

    async def first_look(self, seconds: float) -> None:
        """Return when `run` has looked at everything once, at the latest after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._looked.wait()
                await self._observer.first_look(seconds)

    async def run(self) -> None:
        """Keep looking until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._observer.run(self.changed.set))
            for server in self._servers:
                group.create_task(self._keep_looking(server))
            while True:
                for server in await self._detect_once():
                    group.create_task(self._keep_looking(server))
                if not self._undetected and not self._finds:
                    break
                await self._sleep(DETECT_SECONDS)

    async def _keep_looking(self, server: Server) -> None:
        while True:
            settled = await self._look_once(server)
            await self._sleep(SETTLED_SECONDS if settled else UNSETTLED_SECONDS)

    async def _look_once(self, server: Server) -> bool:
        """Return whether all is well, so that the next look has time."""
        try:
            sight = await self._look(server.url, server.asked_as or server.engine, server.key)
        except Exception:  # the one edge: whatever one server provokes, the others stay served
            log.exception("looking at %s broke", server.service_ids[0])
            sight = Sight("unhealthy", "looking at it broke; see the log of the node")
        answered, server.answers = server.answers, sight.health == "healthy"
        if answered and sight.silent:
            # Many requests at once may keep it from answering; a second silence tells more.
            log.info("%s %s; it is asked once more", server.service_ids[0], sight.detail)
            return False
        # Whoever was away may come back as something else.
        server.engine = None if sight.health == "unhealthy" else sight.engine
        if _became_another(server, sight):
            self._withdraw(server)
            self._offer(server, sight)
        self._see(server, sight)
        return sight.health == "healthy"

    def _see(self, server: Server, sight: Sight) -> None:
        rates = server.rolling.take(sight.counters, self._now())
        if rates.tokens_per_second is None:
            rates = replace(rates, tokens_per_second=sight.tokens_per_second)
        told = [self._declared[service_id] for service_id in server.service_ids]
        kinds = {one.kind for one in told if one.discovers}
        for service_id in server.service_ids:
            settings, before = self._declared[service_id], self._watched[service_id]
            after = state.seen(
                before,
                sight,
                settings,
                config.MAX_ASSETS - self._asset_count + len(before.service.assets),
                rates,
                assets.MAX_DESCRIPTION - self._described + before.described,
                assets.takes(kinds, settings.kind),
                self._observer.host.contribution.max_memory_bytes,
            )
            self._put(service_id, after)
            if after.left_out and not before.left_out:
                message = "%s lists %d models more than the %d that a host may offer; left out"
                log.warning(message, service_id, after.left_out, config.MAX_ASSETS)
            if state.differs(before, after):
                _log(after)
                self.changed.set()
            self._done_once(service_id)

    async def _detect_once(self) -> list[Server]:
        """Add the servers found on ports where none was known; return them."""
        added = []
        try:
            seen = await self._detect(sorted(self._undetected))
        except Exception:  # the same edge: what listens on one port hides nothing else
            log.exception("looking for servers broke")
            seen = []
        for found in seen:
            self._undetected.discard(found.port)
            known = any(_is_at(one.endpoint, found.port) for one in self._declared.values())
            if known or len(self._declared) == config.MAX_SERVICES:
                continue
            server = Server(found.url, None, "", port=found.port, engine=found.sight.engine)
            server.answers = found.sight.health == "healthy"
            self._offer(server, found.sight)
            self._see(server, found.sight)
            added.append(server)
        self._done_once(PORTS)
        return added

    def _offer(self, server: Server, sight: Sight) -> None:
        """Have a service for a server that was found on a port, named after what it is."""
        assert server.port is not None
        name = Found(server.port, server.url, sight).name
        settings = config.Service(service_id=name, endpoint=server.url)
        service_id = f"{self._host_id}/{name}"
        self._declared[service_id] = settings
        self._put(service_id, state.declared(settings, service_id))
        server.service_ids.append(service_id)

    def _withdraw(self, server: Server) -> None:
        """Offer no more what was found on a port where something else answers now."""
        for service_id in server.service_ids:
            log.info("%s is gone; something else answers there", service_id)
            del self._declared[service_id]
            self._put(service_id, None)
        server.service_ids.clear()
        server.rolling = Rolling()

    def _put(self, service_id: str, watched: state.Watched | None) -> None:
        """Have this stand for a service from now on; None: it is gone."""
        for one, sign in ((self._watched.get(service_id), -1), (watched, +1)):
            if one is not None:
                self._asset_count += sign * len(one.service.assets)
                self._described += sign * one.described
        if watched is None:
            del self._watched[service_id]
        else:
            self._watched[service_id] = watched

    def _done_once(self, what: str) -> None:
        self._not_looked_at.discard(what)
        if not self._not_looked_at:
            self._looked.set()


def _servers(declared: Mapping[str, config.Service], keys: Mapping[str, str]) -> tuple[Server, ...]:
    """Return the servers of all services; one that several are declared for is there once."""
    found: dict[tuple[str, str | None, str], Server] = {}
    for service_id, one in declared.items():
        asked = (one.endpoint, one.asked_as, keys.get(service_id, ""))
        found.setdefault(asked, Server(*asked)).service_ids.append(service_id)
    return tuple(found.values())


def _became_another(server: Server, sight: Sight) -> bool:
    """Return whether a server that was found on a port is another kind by now."""
    if server.port is None or sight.health == "unhealthy" or sight.engine is None:
        return False
    name = Found(server.port, server.url, sight).name
    return not server.service_ids[0].endswith(f"/{name}")


def _is_at(endpoint: str, port: int) -> bool:
    """Return whether `endpoint` is that port of this machine, however it is written."""
    parts = urlsplit(endpoint)
    host, at = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    return at == port and is_loopback(join_address(host, at))


def _log(watched: state.Watched) -> None:
    service, now = watched.service, watched.observation
    loaded = sum(asset.loaded for asset in service.assets)
    log.info(
        "%s is %s%s, %d of %d models loaded",
        service.service_id,
        now.health,
        f" ({now.detail})" if now.detail else "",
        loaded,
        len(service.assets),
    )
