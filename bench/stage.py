"""All programs of a comparison, started, ready and frozen; whatever happens, they are ended."""

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench import chat
from bench.actor import Actor
from bench.peers import Missing
from bench.targets import KEY, MODEL, Helper, Target, free_port, upstream_command

PATH = "/v1/chat/completions"
READY_SECONDS = 60.0  # LiteLLM needs ten
POLL_SECONDS = 0.05

Say = Callable[[str], None]


class NotReady(Exception):
    """A target that does not answer as it should."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where: what is measured, and all the others."""

    under_test: frozenset[int]
    crew: frozenset[int]


def cores(workers: int, available: frozenset[int]) -> Cores:
    """Return the cores of a target with so many workers: the last ones, and the crew's the rest.

    Where nothing is left for the crew, all share all.
    """
    ordered = sorted(available)
    under_test = frozenset(ordered[-workers:])
    return Cores(under_test, available - under_test or available)


@dataclass(frozen=True, slots=True)
class Staged:
    """A target that runs. helpers: what runs beside it, unmeasured."""

    target: Target
    port: int
    actor: Actor
    helpers: tuple[Actor, ...]
    cores: Cores

    def freeze(self) -> None:
        for actor in (*self.helpers, self.actor):
            actor.freeze()

    def thaw(self) -> None:
        for actor in (*self.helpers, self.actor):
            actor.thaw()

    def answers(self) -> None:
        """Ask it once, for a whole answer and for a stream.

        Raises:
            NotReady: what comes is not what the engine sends.
        """
        for stream, wanted in ((False, b'"usage"'), (True, b"[DONE]")):
            try:
                answer = httpx.post(
                    f"http://127.0.0.1:{self.port}{PATH}",
                    content=chat.body(MODEL, 0, stream=stream),
                    headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
                    timeout=10.0,
                    trust_env=False,
                )
            except httpx.HTTPError as error:
                raise NotReady(str(error) or type(error).__name__) from error
            if answer.status_code != 200 or wanted not in answer.content:
                raise NotReady(f"{answer.status_code}: {answer.text[:200]}")

    def wait(self, seconds: float, good: int) -> None:
        """Wait until it answers so many times in a row.

        Raises:
            NotReady: it ended, or does not within `seconds`.
        """
        deadline = time.monotonic() + seconds
        in_a_row = 0
        while in_a_row < good:
            if not self.actor.alive:
                raise NotReady(f"it ended: {self.actor.last_words()}")
            try:
                self.answers()
                in_a_row += 1
            except NotReady as error:
                in_a_row = 0
                if time.monotonic() > deadline:
                    raise NotReady(f"not within {seconds:.0f} s: {error}") from error
            time.sleep(POLL_SECONDS)


@dataclass(slots=True)
class Stage:
    """What there is to measure. skipped: why what is missing is missing."""

    engine: Actor
    staged: list[Staged] = field(default_factory=list)
    ready: dict[str, float] = field(default_factory=dict)  # seconds to the first answer
    skipped: dict[str, str] = field(default_factory=dict)


@contextmanager
def stage(targets: Sequence[Target], say: Say) -> Iterator[Stage]:
    """Start the engine, and all targets, frozen; end them all afterwards."""
    available = frozenset(os.sched_getaffinity(0))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="geniehive-bench-")))
        folder.chmod(0o755)  # workers of nginx are somebody else
        port = free_port()
        crew = cores(1, available).crew
        found = Stage(Actor(upstream_command(port), folder / "engine.log", crew))
        stack.callback(found.engine.stop)
        for number, target in enumerate(targets):
            own = folder / f"{number}"
            own.mkdir(mode=0o755)
            began = time.monotonic()
            try:
                with ExitStack() as attempt:
                    one = _start(target, own, port, cores(target.workers, available), attempt)
                    one.wait(READY_SECONDS, 1)
                    stack.enter_context(attempt.pop_all())
            except (Missing, NotReady) as error:
                say(f"skipped: {target.name}: {error}")
                found.skipped[target.name] = str(error)
                continue
            seconds = found.ready[target.name] = round(time.monotonic() - began, 2)
            say(f"{target.name}: ready after {seconds:.1f} s")
            one.actor.drain()
            one.freeze()
            found.staged.append(one)
        yield found


def _start(target: Target, folder: Path, engine: int, where: Cores, stack: ExitStack) -> Staged:
    """Start a target and its helpers; `stack` ends them.

    Raises:
        Missing: it cannot be had.
    """
    launch = target.launch(folder, engine)
    helpers: list[Actor] = []
    for helper in launch.helpers:
        helpers.append(Actor(helper.command, folder / f"helper-{len(helpers)}.log", where.crew))
        stack.callback(helpers[-1].stop)
        _listening(helper)
    log = folder / "target.log"
    actor = Actor(launch.command, log, where.under_test, launch.environment)
    stack.callback(actor.stop)
    return Staged(target, launch.port, actor, tuple(helpers), where)


def _listening(helper: Helper) -> None:
    """Wait until a helper takes connections; one that never does shows in its target."""
    deadline = time.monotonic() + READY_SECONDS
    while helper.port is not None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", helper.port), 1.0).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return
