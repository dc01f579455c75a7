"""Keeps looking at the model servers of this machine, each on its own."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType

from node import config, observe, state
from node.engines.detect import Found
from node.engines.sight import Sight
from node.rolling import Rates

log = logging.getLogger(__name__)

SETTLED_SECONDS = 2.0
UNSETTLED_SECONDS = 0.5  # while a server loads or is away, people wait for it
DETECT_SECONDS = 5.0
PORTS = "ports"  # no service id: those hold a slash

Look = Callable[[str, str | None, str], Awaitable[Sight]]
Detect = Callable[[Iterable[int]], Awaitable[list[Found]]]
Sleep = Callable[[float], Awaitable[None]]


class Watch:
    """The services of this host and what is seen of them.

    keys: what servers ask for, by service, where they do.
    `changed` is set whenever control should hear of it now; whoever tells it clears it.
    """

    def __init__(
        self,
        settings: config.Config,
        look: Look,
        detect: Detect,
        sleep: Sleep = asyncio.sleep,
        keys: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.changed = asyncio.Event()
        self._host = observe.machine(settings)
        self._look = look
        self._detect = detect
        self._sleep = sleep
        self._undetected = set(settings.detect_ports)
        self._declared = {settings.full_id(one.service_id): one for one in settings.services}
        self._watched = {
            service_id: state.declared(one, service_id, keys.get(service_id, ""))
            for service_id, one in self._declared.items()
        }
        self._asset_count = sum(len(one.service.assets) for one in self._watched.values())
        # What the first look waits for; PORTS stands for all that are looked on.
        self._not_looked_at = {*self._declared, PORTS}
        self._looked = asyncio.Event()

    def report(self) -> state.Report:
        """Return everything that is known now."""
        return state.Report(self._host, observe.metrics(), tuple(self._watched.values()))

    async def first_look(self, seconds: float) -> None:
        """Return when `run` has looked at everything once, at the latest after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._looked.wait()

    async def run(self) -> None:
        """Keep looking until cancelled."""
        async with asyncio.TaskGroup() as group:
            for service_id in self._declared:
                group.create_task(self._keep_looking(service_id))
            while True:
                for service_id in await self._detect_once():
                    group.create_task(self._keep_looking(service_id))
                if not self._undetected:
                    break
                await self._sleep(DETECT_SECONDS)

    async def _keep_looking(self, service_id: str) -> None:
        while True:
            await self._look_once(service_id)
            settled = self._watched[service_id].observation.health == "healthy"
            await self._sleep(SETTLED_SECONDS if settled else UNSETTLED_SECONDS)

    async def _look_once(self, service_id: str) -> None:
        settings = self._declared[service_id]
        key = self._watched[service_id].service.api_key
        try:
            sight = await self._look(settings.endpoint, settings.asked_as, key)
        except Exception:  # the one edge: whatever one server provokes, the others stay served
            log.exception("looking at %s broke", service_id)
            sight = Sight("unhealthy", "looking at it broke; see the log of the node")
        self._see(service_id, sight)

    def _see(self, service_id: str, sight: Sight) -> None:
        before = self._watched[service_id]
        room = config.MAX_ASSETS - self._asset_count + len(before.service.assets)
        rates = Rates(tokens_per_second=sight.tokens_per_second)
        after = state.seen(before, sight, self._declared[service_id], room, rates)
        self._watched[service_id] = after
        self._asset_count += len(after.service.assets) - len(before.service.assets)
        if after.left_out and not before.left_out:
            message = "%s lists %d models more than the %d that a host may offer; they are left out"
            log.warning(message, service_id, after.left_out, config.MAX_ASSETS)
        if state.differs(before, after):
            _log(after)
            self.changed.set()
        self._done_once(service_id)

    async def _detect_once(self) -> list[str]:
        """Add the servers found on ports where none was known; return their service ids."""
        added = []
        for found in await self._detect(sorted(self._undetected)):
            self._undetected.discard(found.port)
            known = any(one.endpoint == found.url for one in self._declared.values())
            if known or len(self._declared) == config.MAX_SERVICES:
                continue
            settings = config.Service(service_id=found.name, endpoint=found.url)
            service_id = f"{self._host.host_id}/{found.name}"
            self._declared[service_id] = settings
            self._watched[service_id] = state.declared(settings, service_id)
            self._see(service_id, found.sight)
            added.append(service_id)
        self._done_once(PORTS)
        return added

    def _done_once(self, what: str) -> None:
        self._not_looked_at.discard(what)
        if not self._not_looked_at:
            self._looked.set()


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
