"""Keeps looking at the machine itself, beside the event loop: nothing of it delays a beat."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlsplit

import psutil

from control.api.ports import is_loopback, join_address
from node.config import Config
from node.listeners import USUAL_PORTS
from node.machine.aside import Aside, NoAnswer
from node.machine.gpus import Gpus, makers
from node.machine.policy import Facts, forbidden, unknown, unseen
from node.machine.scan import HEADER_SECONDS, MAX_PROBLEMS, WALK_SECONDS, Found, Scan
from node.machine.system import Reading, System
from node.machine.use import Use
from node.state import Contribution, Host, Machine, Metrics

log = logging.getLogger(__name__)

READ_SECONDS = 5.0  # between two readings
ASK_SECONDS = 3.0  # for one; sensors answer in milliseconds, a broken one may never
SCAN_SECONDS = 60.0  # between two looks through the folders with weights
# How much longer a look through folders rests than it took; less while headers are left.
REST_TIMES, REST_TIMES_UNFINISHED = 100.0, 5.0
SCAN_PATIENCE_SECONDS = 2 * (WALK_SECONDS + HEADER_SECONDS)
MAX_LOGGED = 1_000

Sleep = Callable[[float], Awaitable[None]]


def declared(config: Config) -> Host:
    """Return the host: what is declared, else what is measured at once."""
    told = config.inventory
    return Host(
        host_id=config.node.host_id,
        display_name=config.node.display_name,
        address=config.node.address,
        labels=config.node.labels,
        capabilities=told.capabilities,
        cpu_threads=told.cpu_threads or psutil.cpu_count() or 0,
        memory_bytes=int(told.ram_gb * 1e9) if told.ram_gb else psutil.virtual_memory().total,
        trust_tier=told.trust_tier,
        device_class=told.device_class,
        workload_classes=told.workload_classes,
        allowed_model_families=told.allowed_model_families,
        contribution=Contribution(
            told.idle_only,
            told.ac_power_only,
            told.thermal_ceiling_c,
            int(told.max_contribution_ram_gb * 1e9) if told.max_contribution_ram_gb else None,
        ),
    )


class Observer:
    """The machine, as far as it is known.

    metrics: how busy it is. machine: what else was found, None until it was looked at.
    forbidden: why its owner does not lend it now, "" when it is lent.
    gpus, system, scan: who looks, in tests something else.
    """

    def __init__(
        self,
        settings: Config,
        gpus: Gpus | None = None,
        system: Callable[[], Reading] | None = None,
        scan: Callable[[], Found] | None = None,
        sleep: Sleep = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.metrics = Metrics()
        self.machine: Machine | None = None
        self._host = declared(settings)
        self.forbidden = unseen(self._host.contribution)
        self._gpus = gpus or Gpus(makers())
        use = Use(_own_ports(settings)) if settings.inventory.idle_only else None
        self._system = Aside("machine", system or System(use).read)
        self._scan = Aside("model-files", scan or Scan(settings.inventory.model_roots).look)
        self._scans = bool(settings.inventory.model_roots)
        self._sleep = sleep
        self._now = now
        self._found: Found | None = None if self._scans else Found()
        self._reading: Reading | None = None
        self._trouble: dict[str, str] = {}  # what did not answer, by what was asked
        self._logged: set[str] = set()
        self._looked = asyncio.Event()  # at what does not take long
        self._told = asyncio.Event()  # that there is a `machine`

    @property
    def host(self) -> Host:
        """The machine for a registration."""
        return replace(self._host, gpus=self._gpus.gpus)

    async def first_look(self, seconds: float, *, with_files: bool = False) -> None:
        """Return when `run` has read everything once, at the latest after `seconds`.

        with_files: also the files with weights, which may take long.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await (self._told if with_files else self._looked).wait()

    async def run(self, changed: Callable[[], None]) -> None:
        """Keep looking until cancelled; call `changed` when control should hear of it now."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_reading(changed))
            if self._scans:
                group.create_task(self._keep_scanning(changed))

    async def _keep_reading(self, changed: Callable[[], None]) -> None:
        while True:
            host = self.host
            _, reading = await asyncio.gather(self._gpus.look(self._now()), self._read())
            self._take(reading, changed)
            if self._looked.is_set() and self.host != host:
                changed()
            self._looked.set()
            await self._sleep(READ_SECONDS)

    async def _read(self) -> Reading:
        try:
            reading = await self._system.ask(ASK_SECONDS)
        except NoAnswer as error:
            self._trouble["system"] = f"a sensor of this machine {error}"
            return Reading()
        self._trouble.pop("system", None)
        return reading

    async def _keep_scanning(self, changed: Callable[[], None]) -> None:
        while True:
            began = self._now()
            try:
                self._found = await self._scan.ask(SCAN_PATIENCE_SECONDS)
                self._trouble.pop("scan", None)
            except NoAnswer as error:
                self._found = self._found or Found()
                self._trouble["scan"] = f"model_roots: a disk {error}"
            self._tell(changed)
            times = REST_TIMES if self._found.whole else REST_TIMES_UNFINISHED
            least = SCAN_SECONDS if self._found.whole else 0.0
            await self._sleep(max((self._now() - began) * times, least))

    def _take(self, reading: Reading, changed: Callable[[], None]) -> None:
        """Keep what was read, and judge by it."""
        before = self.forbidden
        self._reading = reading
        gpus = self._gpus.metrics
        self.metrics = Metrics(
            reading.cpu_utilization,
            reading.memory_available_bytes,
            gpus,
            reading.on_ac_power,
            reading.temperature_celsius,
        )
        self.forbidden = forbidden(self._host.contribution, self._facts(), before)
        if self.forbidden != before:
            why = f"is not lent: {self.forbidden}" if self.forbidden else "is lent"
            log.info("this machine %s", why)
        if bool(self.forbidden) != bool(before):
            changed()
        self._tell(changed)

    def _facts(self) -> Facts:
        reading = self._reading or Reading()
        heats = [
            reading.temperature_celsius,
            *(one.temperature_celsius for one in self.metrics.gpus),
        ]
        return Facts(
            reading.on_ac_power,
            max((heat for heat in heats if heat is not None), default=None),
            reading.others_utilization,
            reading.untouched_seconds,
        )

    def _tell(self, changed: Callable[[], None]) -> None:
        """Make what is told of the machine, once everything was looked at."""
        if self._found is None or self._reading is None:
            return
        found = self._found
        problems = (
            *self._trouble.values(),
            *self._gpus.problems,
            *unknown(self._host.contribution, self._facts()),
            *found.problems,
        )
        self._log(problems)
        known = self.machine or Machine(revision=0)
        now = Machine(found.files, found.count, problems[:MAX_PROBLEMS], known.revision)
        if self.machine is None or now != known:
            self.machine = replace(now, revision=known.revision + 1)
            self._told.set()
            changed()

    def _log(self, problems: tuple[str, ...]) -> None:
        """Log each problem once, however often it is found."""
        if len(self._logged) > MAX_LOGGED:
            self._logged.clear()
        for line in problems:
            if line not in self._logged:
                log.warning("%s", line)
                self._logged.add(line)


def _own_ports(settings: Config) -> frozenset[int]:
    """Return the ports where servers of this machine are, or are looked for."""
    told = [urlsplit(one.endpoint) for one in settings.services]
    ports = {
        one.port
        for one in told
        if one.port and is_loopback(join_address(one.hostname or "", one.port))
    }
    return frozenset(ports | set(USUAL_PORTS if settings.finds else settings.detect_ports or ()))
