"""Reads what a server counts: the text of Prometheus, whatever is in it.

Our own, and not the parser of `prometheus-client`: that one raises at the first broken line,
so that one such line hides all others, and 2 MB of quotes keep it busy for 18 s. Here a
broken line costs itself, and the worst 4 MB that we found take 0.2 s, on another thread.
"""

import asyncio
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice

from node.engines.http import Reply
from node.engines.sight import Histogram

MAX_LINES = 100_000
MAX_LINE_BYTES = 4_096  # lines of engines seen stay below 600
MAX_SAMPLES = 20_000  # vLLM tells about 700 of a model
MAX_BOUNDS = 200  # of a histogram; those seen have up to 37
AT_ONCE_BYTES = 32 << 10  # read in 4 ms, which the event loop bears

# Possessive, so that no text makes the time grow faster than its length.
_LABEL = rb'[ \t]*+([a-zA-Z_][a-zA-Z0-9_]*+)[ \t]*+=[ \t]*+"((?:[^"\\]|\\.)*+)"[ \t]*+'
_LABELS = re.compile(_LABEL)
_LINE = re.compile(
    rb"[ \t]*+([a-zA-Z_:][a-zA-Z0-9_:]*+)"  # name
    rb'[ \t]*+(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*+")*+)\})?+'  # labels
    rb"[ \t]*+([0-9.eE+-]++)(?=\s|$)"  # value; no more than a time may follow
)
_ESCAPES = {b"\\n": b"\n", b'\\"': b'"', b"\\\\": b"\\"}
_ESCAPE = re.compile(rb'\\[n"\\]')

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a server counts. What it does not tell, or tells as NaN or below 0, is None."""

    _samples: Mapping[str, list[tuple[Labels, float]]] = field(default_factory=dict)

    def series(self, name: str, **labels: str) -> list[float]:
        """Return the values of all series of that name that have these labels, in their order."""
        return [value for of, value in self._samples.get(name, ()) if labels.items() <= of.items()]

    def total(self, name: str, **labels: str) -> float | None:
        """Return the sum over all series of that name that have these labels.

        A server may have several, of its engines or its models.
        """
        values = self.series(name, **labels)
        return _usable(sum(values)) if values else None

    def highest(self, name: str, **labels: str) -> float | None:
        """Return the highest value of a series of that name that has these labels."""
        return max(self.series(name, **labels), default=None)

    def label(self, name: str, label: str) -> str | None:
        """Return what the first series of that name says as `label`."""
        return next((of[label] for of, _ in self._samples.get(name, ()) if label in of), None)

    def histogram(self, name: str, **labels: str) -> Histogram | None:
        """Return the histogram of that name, its series added up; None when it makes no sense.

        Series whose bounds differ do not add up, and counts that fall are none.
        """
        buckets: defaultdict[float, list[float]] = defaultdict(list)
        for of, value in self._samples.get(f"{name}_bucket", ()):
            if labels.items() <= of.items() and (bound := _bound(of.get("le"))) is not None:
                buckets[bound].append(value)
        bounds = sorted(buckets)
        counts = [sum(buckets[bound]) for bound in bounds]
        sensible = (
            0 < len(bounds) <= MAX_BOUNDS
            and len({len(values) for values in buckets.values()}) == 1
            and counts == sorted(counts)
            and _usable(counts[-1]) is not None
        )
        return Histogram(tuple(bounds), tuple(counts)) if sensible else None


async def read(reply: Reply) -> Metrics:
    """Return what an answer tells, nothing unless it is a good one.

    A long one is read on another thread.
    """
    body = reply.body if reply.status == 200 else b""
    return parse(body) if len(body) <= AT_ONCE_BYTES else await asyncio.to_thread(parse, body)


def parse(body: bytes) -> Metrics:
    """Return what `body` tells.

    A line that makes no sense is left out, the rest stands. Of a series that is told twice
    the first one counts.
    """
    samples: defaultdict[str, list[tuple[Labels, float]]] = defaultdict(list)
    told: set[tuple[bytes, bytes | None]] = set()
    for series, value in _lines(body):
        if series in told:
            continue
        told.add(series)
        name, written = series
        if (labels := _labels(written or b"")) is not None:
            samples[name.decode()].append((labels, value))
        if len(told) == MAX_SAMPLES:
            break
    return Metrics(dict(samples))


def _lines(body: bytes) -> Iterator[tuple[tuple[bytes, bytes | None], float]]:
    """Return name, labels as they are written, and value, of each line that makes sense."""
    for line in islice(BytesIO(body), MAX_LINES):
        if len(line) > MAX_LINE_BYTES or not (found := _LINE.match(line)):
            continue
        try:
            value = float(found[3])
        except ValueError:
            continue
        if _usable(value) is not None:
            yield (found[1], found[2]), value


def _labels(written: bytes) -> Labels | None:
    """Return the labels, or None when something else is among them."""
    if _LABELS.sub(b"", written).strip(b", \t"):
        return None
    return {
        name.decode(): _ESCAPE.sub(lambda found: _ESCAPES[found[0]], value).decode(errors="replace")
        for name, value in _LABELS.findall(written)
    }


def _bound(text: str | None) -> float | None:
    try:
        bound = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(bound) or bound < 0 else bound


def _usable(value: float) -> float | None:
    return value if math.isfinite(value) and value >= 0 else None
