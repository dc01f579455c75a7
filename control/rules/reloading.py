"""Follows the files that routing goes by while control runs: on SIGHUP, and when one changes."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from control.api.settings import SettingsError, read
from control.config import Config
from control.ranking.offering import Rules
from control.rules.rulebook import differences, read_rules, roles_path, waiting_for_restart
from control.rules.watching import Stamp, is_special, look, stamp

POLL_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Status:
    """Which roles are in force, and why these are not what the files say now."""

    source: str = ""  # path of the catalog, empty without one
    loaded_at: float = 0.0  # seconds of Unix time
    roles: int = 0
    problem: str = ""  # a line each; empty when all is well


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the files said, as they looked just before; `rules` is None when it is unusable."""

    stamps: Mapping[Path, Stamp]
    source: Path | None = None
    rules: Rules | None = None
    news: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class Reloader:
    """Holds the rules in force; they are replaced as a whole or not at all.

    To be made before the settings are read, so that no change of them is missed.
    config_path: None when there is no such file. wall_time: seconds of Unix time.
    """

    def __init__(
        self,
        config_path: Path | None,
        environment: Mapping[str, str],
        wall_time: Callable[[], float],
        poll: float = POLL_S,
    ) -> None:
        self._config_path = config_path
        self._environment = environment
        self._wall_time = wall_time
        self._poll = poll
        self._stamps: Mapping[Path, Stamp] = look([] if config_path is None else [config_path])
        self._asked = asyncio.Event()
        self._running = Config()
        self._warnings: tuple[str, ...] = ()
        self.rules = Rules()
        self.status = Status()

    def begin(self, config: Config) -> None:
        """Read the catalog of `config`, which control starts with.

        Raises:
            SettingsError: the catalog cannot be used.
        """
        self._running = config
        source, stamps = self._sources(config, self._stamps)
        rules, warnings = read_rules(config, source)
        if source is not None:
            log.info("roles: %d in %s", len(rules.roles), source)
        self._adopt(_Reading(stamps, source, rules, warnings=tuple(warnings)), rules)

    def ask(self) -> None:
        """Let everything be read again at once, whether it changed or not."""
        self._asked.set()

    async def run(self, follow: Callable[[Rules], None]) -> None:
        """Call `follow` with the new rules whenever they change, until cancelled.

        A file that changed is read when it has looked the same twice: before that it may
        be half written. One reading ends before the next begins, so the latest wins.
        """
        last = self._stamps
        while True:
            if not (asked := await self._asked_within(self._poll)):
                stamps = await asyncio.to_thread(look, tuple(self._stamps))
                steady, last = stamps == last, stamps
                if stamps == self._stamps or not steady:
                    continue
            reading = await asyncio.to_thread(self._read)
            if reading.rules is None:
                self._keep(reading)
            else:
                mended = bool(self.status.problem)
                self._adopt(reading, reading.rules)
                if reading.news:
                    follow(reading.rules)
                elif asked or mended:
                    log.info("read again, and routing stays as it is")
            last = self._stamps

    async def _asked_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    def _read(self) -> _Reading:
        """Return what the files say now; runs in a thread, and changes nothing."""
        stamps: Mapping[Path, Stamp] = look(self._stamps)
        try:
            _refuse_special(self._config_path)
            config, warnings = read(self._config_path, Config)
            source, stamps = self._sources(config, stamps)
            _refuse_special(source)
            rules, more = read_rules(config, source)
        except SettingsError as error:
            return _Reading(stamps, problems=tuple(error.problems))
        except Exception as error:  # the one edge: whatever a file provokes, control goes on
            log.exception("an unexpected error while settings were read")
            return _Reading(stamps, problems=(f"{', '.join(map(str, stamps))}: {error!r}",))
        if keys := waiting_for_restart(self._running, config):
            more.append(f"{self._config_path}: waiting for a restart: {', '.join(keys)}")
        news = tuple(differences(self.rules, rules))
        return _Reading(stamps, source, rules, news, (*warnings, *more))

    def _sources(
        self, config: Config, stamps: Mapping[Path, Stamp]
    ) -> tuple[Path | None, dict[Path, Stamp]]:
        """Return where the catalog is, and how all files to be watched look.

        stamps: as they looked before the settings were read, which is what counts.
        """
        source = roles_path(config, self._environment)
        paths = [path for path in (self._config_path, source) if path is not None]
        return source, {p: stamps[p] if p in stamps else stamp(p) for p in paths}

    def _adopt(self, reading: _Reading, rules: Rules) -> None:
        self._stamps, self.rules = reading.stamps, rules
        self.status = Status(str(reading.source or ""), self._wall_time(), len(rules.roles))
        for line in reading.news:
            log.info("%s", line)
        for line in reading.warnings:
            if line not in self._warnings:
                log.warning("%s", line)
        self._warnings = reading.warnings

    def _keep(self, reading: _Reading) -> None:
        self._stamps = reading.stamps
        self.status = replace(self.status, problem="\n".join(reading.problems))
        for line in reading.problems:
            log.error("%s; routing stays as it was", line)


def _refuse_special(path: Path | None) -> None:
    if path is not None and is_special(path):
        raise SettingsError([f"{path}: a pipe or a device cannot be read again"])
