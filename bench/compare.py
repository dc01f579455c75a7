"""The comparison: every target in turn, round after round, and nothing else awake meanwhile."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from bench import chat
from bench.actor import Actor
from bench.cases import JSON_1, Case
from bench.outcome import Outcome
from bench.peers import Missing
from bench.results import Results, Row, this_machine
from bench.targets import KEY, MODEL, Helper, Launch, Target, free_port, upstream_command

PATH = "/v1/chat/completions"
READY_SECONDS = 60.0  # LiteLLM needs ten
SETTLE_SECONDS = 20.0
GOOD_IN_A_ROW = 5
POLL_SECONDS = 0.05
LOAD_SECONDS = 30.0  # on top of what a run takes, for its start and a slow last answer
BODY_BYTES = 900

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
class _Staged:
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


def compare(
    targets: Sequence[Target], rounds: int, limit: float, say: Say, *, quick: bool
) -> Results:
    """Measure `targets` and return what was found.

    limit: seconds after which no further round begins.
    """
    began, stolen = time.monotonic(), _steal()
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    rows: list[Row] = []
    with _stage(targets, say) as (engine, staged, ready, skipped):
        for number in range(1, rounds + 1):
            round_began = time.monotonic()
            # There and back again, so that nobody always follows the same one.
            for one in list(staged) if number % 2 else list(reversed(staged)):
                try:
                    rows += _turn(one, engine, number, quick=quick)
                except NotReady as error:
                    say(f"{one.target.name} is out in round {number}: {error}")
                    skipped[one.target.name] = f"out in round {number}: {error}"
                    staged.remove(one)
                    one.freeze()
            now = time.monotonic()
            say(f"round {number} of {rounds}: {now - round_began:.0f} s")
            if number < rounds and 2 * now - round_began - began > limit:
                say(f"no time for more rounds within {limit:.0f} s")
                break
    return Results(
        when=when,
        machine=this_machine(),
        steal=round(_steal() - stolen, 2),
        versions={one.name: one.version() for one in targets if one.name in ready},
        ready=ready,
        skipped=skipped,
        rows=tuple(rows),
    )


@contextmanager
def _stage(
    targets: Sequence[Target], say: Say
) -> Iterator[tuple[Actor, list[_Staged], dict[str, float], dict[str, str]]]:
    """Start the engine and all targets, frozen; end all of them."""
    available = frozenset(os.sched_getaffinity(0))
    staged: list[_Staged] = []
    ready: dict[str, float] = {}
    skipped: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="geniehive-bench-")))
        folder.chmod(0o755)  # workers of nginx are somebody else

        def start(
            command: Sequence[str], name: str, where: frozenset[int], launch: Launch
        ) -> Actor:
            actor = Actor(command, folder / f"{name}.log", where, launch.environment)
            stack.callback(actor.stop)
            return actor

        port = free_port()
        launch = Launch(port, upstream_command(port))
        engine = start(launch.command, "engine", cores(1, available).crew, launch)
        for number, target in enumerate(targets):
            own = folder / f"{number}"
            own.mkdir(mode=0o755)
            try:
                launch = target.launch(own, port)
            except Missing as error:
                say(f"skipped: {target.name}: {error}")
                skipped[target.name] = str(error)
                continue
            where = cores(target.workers, available)
            began = time.monotonic()
            helpers = []
            for place, helper in enumerate(launch.helpers):
                helpers.append(start(helper.command, f"{number}-{place}", where.crew, launch))
                _listening(helper)
            actor = start(launch.command, f"{number}", where.under_test, launch)
            one = _Staged(target, launch.port, actor, tuple(helpers), where)
            try:
                one.wait(READY_SECONDS, 1)
            except NotReady as error:
                say(f"skipped: {target.name}: {error}")
                skipped[target.name] = str(error)
            else:
                ready[target.name] = round(time.monotonic() - began, 2)
                say(f"{target.name}: ready after {ready[target.name]:.1f} s")
                actor.drain()
                staged.append(one)
            one.freeze()
        yield engine, staged, ready, skipped


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


def _turn(one: _Staged, engine: Actor, number: int, *, quick: bool) -> list[Row]:
    rows = []
    engine.spread(one.cores.crew)
    one.thaw()
    try:
        drained = one.actor.drain()
        one.wait(SETTLE_SECONDS, GOOD_IN_A_ROW)
        for case in one.target.cases:
            found = _measure(one, case, quick=quick)
            rows.append(Row(one.target.name, case.name, number, drained, found))
            drained = one.actor.drain() and engine.drain()
    finally:
        one.freeze()
    return rows


def _measure(one: _Staged, case: Case, *, quick: bool) -> Outcome:
    """Run the load generator as a process of its own.

    Raises:
        NotReady: it could not measure.
    """
    command = [
        *(sys.executable, "-P", "-m", "bench", "load", f"http://127.0.0.1:{one.port}{PATH}"),
        *("--json", "--key", KEY, "--model", MODEL, "--body-bytes", str(BODY_BYTES)),
        *("--pid", str(one.actor.pid), *case.arguments(quick=quick)),
    ]
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, one.cores.crew)
    try:
        bound = case.seconds + case.warmup + LOAD_SECONDS
        done = subprocess.run(command, capture_output=True, text=True, timeout=bound, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotReady(f"{case.name} did not end") from error
    finally:
        os.sched_setaffinity(0, own)
    if done.returncode != 0:
        raise NotReady(f"{case.name}: {done.stderr.strip()[-200:]}")
    content = json.loads(done.stdout)
    del content["schema"]
    # Only one case shows its curve; the others would fill the file.
    curve = tuple(content.pop("curve")) if case is JSON_1 else ()
    return Outcome(**{**content, "curve": curve})


def _steal() -> float:
    return float(getattr(psutil.cpu_times(), "steal", 0.0))
