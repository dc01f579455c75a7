"""What a person sees while `geniehive up` works: one line a step, on stderr."""

import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence

import click
from geniehive.v1 import inventory_pb2 as inventory

from cli.cluster import Cluster
from cli.demo import ALIAS, Progress
from cli.output import Output, clean, interactive

BAR_CELLS = 14
LINE_SECONDS = 5.0  # between two lines of progress where a line cannot be redrawn
RATE_SECONDS = 0.5  # before that a rate says nothing
NAMES_SHOWN = 6
KEY_HEADER = " -H 'Authorization: Bearer YOUR_KEY'"


class Screen:
    """Prints steps; redraws the last line only on a terminal."""

    def __init__(self, output: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._redraws = interactive(sys.stderr)
        self._silent = output.quiet or output.as_json
        self._drawn = False
        self._label = ""
        self._began = 0.0
        self._printed = 0.0

    def step(self, name: str, text: str, seconds: float | None = None) -> None:
        """Print one step; `seconds` is how long it took."""
        took = "" if seconds is None else f"  {seconds:.1f}s"
        self.say(f"  {name:<10} {text}{took}")

    def say(self, text: str) -> None:
        """Print a line."""
        if self._drawn:
            click.echo("\r\033[K", nl=False, err=True)
            self._drawn = False
        self._output.say(clean(text))

    def progress(self, progress: Progress) -> None:
        """Show how far a download is."""
        now = self._clock()
        if progress.label != self._label:
            self._label, self._began, self._printed = progress.label, now, now
        line = progress_line(progress, now - self._began)
        done = progress.done >= progress.total
        if self._silent:
            return
        if self._redraws and not done:
            click.echo(f"\r\033[K{line}", nl=False, err=True)
            self._drawn = True
        elif done or now - self._printed >= LINE_SECONDS:
            self._printed = now
            self.say(line)


def progress_line(progress: Progress, elapsed: float) -> str:
    """Return share, rate and time left. elapsed: seconds since this download began."""
    share = progress.done / progress.total if progress.total else 0.0
    cells = int(share * BAR_CELLS)
    bar = "#" * cells + "-" * (BAR_CELLS - cells)
    text = f"  {'model':<10} {progress.label}  [{bar}]  {_megabytes(progress)}"
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


def next_steps(base_url: str, models: Sequence[str], *, keyed: bool, demo: bool) -> str:
    """Return what to do now that it runs; the first model is the one to try."""
    names = ", ".join(clean(model) for model in models[:NAMES_SHOWN])
    more = len(models) - NAMES_SHOWN
    names += f" and {more} more" if more > 0 else ""
    if demo and list(models) == [ALIAS]:
        names += " (demo, small; for real work start Ollama, it is found by itself)"
    message = {"role": "user", "content": "Say hello"}
    body = json.dumps({"model": models[0], "messages": [message]}, separators=(",", ":"))
    return (
        f"models: {names}\n"
        f"try:  curl {base_url}/v1/chat/completions{KEY_HEADER if keyed else ''}"
        f" -H 'Content-Type: application/json' \\\n"
        f"        -d {shlex.quote(body)}\n"
        "next: geniehive status | Ctrl-C stops everything"
    )


def _megabytes(progress: Progress) -> str:
    return f"{progress.done / 1e6:.0f}/{progress.total / 1e6:.0f} MB"
