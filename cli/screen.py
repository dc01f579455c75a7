"""What a person sees while `geniehive up` works: one line a step, on stderr."""

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rich.progress
from geniehive.v1 import inventory_pb2 as inventory
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from cli.cluster import Cluster
from cli.demo import ALIAS, Progress
from cli.keys import Keys
from cli.output import Output, clean, interactive

BAR_CELLS = 14
LINE_SECONDS = 5.0  # between two lines of progress where a line cannot be redrawn
RATE_SECONDS = 0.5  # before that a rate says nothing
NAMES_SHOWN = 6
SOME_KEY = "YOUR_KEY"  # where it is not shown


class Screen:
    """Prints steps; on a terminal, downloads are bars below them."""

    def __init__(self, output: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._above: Callable[[str], None] = output.say  # prints a line above the bars

    def step(self, name: str, text: str, seconds: float | None = None) -> None:
        """Print one step; `seconds` is how long it took."""
        took = "" if seconds is None else f"  {seconds:.1f}s"
        self.say(f"  {name:<10} {text}{took}")

    def say(self, text: str) -> None:
        """Print a line."""
        self._above(clean(text))

    @contextmanager
    def downloads(self) -> Iterator[Callable[[Progress], None]]:
        """Show how far downloads are, as told to what is yielded."""
        if self._output.quiet or self._output.as_json:
            yield lambda _: None
        elif interactive(sys.stderr):
            with bars(color=self._output.colorful(sys.stderr)) as shown:
                self._above = lambda text: shown.console.print(Text(text), soft_wrap=True)
                try:
                    yield partial(draw, shown)
                finally:
                    self._above = self._output.say
        else:
            yield Lines(self.say, self._clock).tell


class Lines:
    """Tells of downloads in a line now and then, where no line can be drawn again."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._label = ""
        self._began = 0.0
        self._said = 0.0

    def tell(self, progress: Progress) -> None:
        """Take note of `progress`; say it when it is time, and at the end."""
        now = self._clock()
        if progress.label != self._label:
            self._label, self._began, self._said = progress.label, now, now
        if progress.done >= progress.total or now - self._said >= LINE_SECONDS:
            self._said = now
            self._say(progress_line(progress, now - self._began))


def bars(*, color: bool) -> rich.progress.Progress:
    """Return what draws downloads on stderr: name, share, size, rate and time left."""
    return rich.progress.Progress(
        TextColumn(f"  {'model':<10} {{task.description}}", markup=False),
        BarColumn(BAR_CELLS),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, no_color=not color),
        redirect_stdout=False,  # the answer on stdout is not for this console
        redirect_stderr=False,
    )


def draw(shown: rich.progress.Progress, progress: Progress) -> None:
    """Move the bar of `progress`; a new label gets a new one."""
    known = [task.id for task in shown.tasks if task.description == progress.label]
    if known:
        shown.update(known[0], completed=progress.done, total=progress.total)
    else:
        shown.add_task(progress.label, completed=progress.done, total=progress.total)


def progress_line(progress: Progress, elapsed: float) -> str:
    """Return size, rate and time left. elapsed: seconds since this download began."""
    sizes = f"{progress.done / 1e6:.0f}/{progress.total / 1e6:.0f} MB"
    text = f"  {'model':<10} {progress.label}  {sizes}"
    if progress.done and elapsed >= RATE_SECONDS:
        rate = progress.done / elapsed
        left = (progress.total - progress.done) / rate
        text += f"  {rate / 1e6:.0f} MB/s" + (f"  {left:.0f}s left" if left >= 1 else "")
    return text


def chat_models(cluster: Cluster) -> list[str]:
    """Return the models that answer a chat now, those in memory first."""
    found: dict[str, bool] = {}
    for status in cluster.services:
        for asset in status.service.assets if status.routable else ():
            if inventory.OPERATION_CHAT in asset.operations:
                found[asset.asset_id] = found.get(asset.asset_id, False) or asset.loaded
    return sorted(found, key=lambda name: not found[name])


@dataclass(frozen=True, slots=True)
class Invitation:
    """How others come. keys: to be shown; None: they were, and are in the file `place`."""

    control: str
    place: Path
    keys: Keys | None
    here_only: bool = False  # there is no network


def invitation(to: Invitation) -> str:
    """Return the keys, when they are shown, and what to type on another machine."""
    node = to.keys.node if to.keys else "KEY"
    lines = [f"client key: {to.keys.client}"] if to.keys else []
    lines.append(f"add a machine:  GENIEHIVE_NODE_KEY={node} geniehive join {to.control}")
    lines.append(
        f"keys are in {to.place}" + (", and are not shown again" if to.keys else ", as before")
    )
    if to.here_only:
        lines.append("note: this machine is in no network; others reach it when it is")
    return "\n".join(lines)


def next_steps(base_url: str, models: Sequence[str], *, key: str = "", demo: bool) -> str:
    """Return what to do now that it runs; the first model, if there is one, is the one to try.

    key: what stands in the call for it; empty where none is asked for.
    """
    after = "next: geniehive connect python | geniehive status --watch | Ctrl-C stops everything"
    if not models:
        return f"models: none yet; model servers here and machines that join bring them\n{after}"
    header = f" -H 'Authorization: Bearer {key}'" if key else ""
    names = ", ".join(clean(model) for model in models[:NAMES_SHOWN])
    more = len(models) - NAMES_SHOWN
    names += f" and {more} more" if more > 0 else ""
    if demo and list(models) == [ALIAS]:
        names += " (demo, small; for real work start Ollama, it is found by itself)"
    message = {"role": "user", "content": "Say hello"}
    body = json.dumps({"model": models[0], "messages": [message]}, separators=(",", ":"))
    return (
        f"models: {names}\n"
        f"try:  curl {base_url}/v1/chat/completions{header}"
        f" -H 'Content-Type: application/json' \\\n"
        f"        -d {shlex.quote(body)}\n"
        f"{after}"
    )
