"""Pieces of a picture as SVG, written directly: a logarithmic axis, lines and words."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

INK, FAINT, GRID = "#24292f", "#57606a", "#d8dee4"


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis: values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value; what lies outside stands at the edge."""
        inside = min(max(value, self.low), self.high)
        share = math.log(inside / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the powers of ten on it."""
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1)]

    def finer_ticks(self) -> list[float]:
        """Return its 1, 2, 5, 10, 20, 50 and so on."""
        found = [step * tick for tick in self.ticks() for step in (1, 2, 5)]
        return [tick for tick in found if tick <= self.high]


def decades(values: Iterable[float], start: float, end: float) -> Axis:
    """Return an axis of whole powers of ten that holds `values`."""
    found = list(values) or [1.0]
    low = 10.0 ** math.floor(math.log10(min(found)))
    high = 10.0 ** math.ceil(math.log10(max(found)))
    return Axis(low, max(high, low * 10), start, end)


def line(x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1) -> str:
    """Return a line from one point to another."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{color}" stroke-width="{width}"/>'
    )


def text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    color: str = INK,
    bold: bool = False,
    halo: bool = False,
) -> str:
    """Return words. halo: readable on top of lines."""
    weight = ' font-weight="600"' if bold else ""
    around = ' paint-order="stroke" stroke="#ffffff" stroke-width="4"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}"{weight}{around}>'
        f"{escape(words)}</text>"
    )


def short(value: float) -> str:
    """Return a figure with three digits or so."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
