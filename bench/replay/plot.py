"""Times to the first token as a picture: a curve for each way to decide, a panel a case. SVG."""

import math
from collections.abc import Mapping, Sequence

from bench.plot import apart
from bench.replay.figures import SHARES
from bench.svg import FAINT, GRID, Axis, line, short, text

WIDTH, HEIGHT = 960, 300  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 60, 210, 34, 52
LEAST_S = 0.01
COLORS = ("#d9480f", "#0969da", "#1b7c83", "#8250df", "#9a6700", "#24292f", "#8c959f", "#bf3989")
MARKS = (0.5, 0.9, 0.95, 0.99)
ROOM = 14  # between the names of two curves

Curves = Mapping[str, Sequence[float]]  # seconds at `SHARES`, by name


def draw(panels: Mapping[str, Curves]) -> str:
    """Return the picture. panels: by title; a name has the same colour in all of them."""
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    colors = {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}
    axis = _axis(panels)
    parts = []
    for number, (title, curves) in enumerate(panels.items()):
        parts.append(f'<g transform="translate(0 {number * HEIGHT})">')
        parts += [*_frame(title, axis), *_lines(curves, colors, axis), "</g>"]
    height = HEIGHT * len(panels)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" '
            f'font-size="12" role="img">',
            "<title>Time to the first token</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _axis(panels: Mapping[str, Curves]) -> Axis:
    """Return one axis for all panels, from ten milliseconds or so to the slowest."""
    found = [
        value
        for curves in panels.values()
        for curve in curves.values()
        for value in curve
        if not math.isnan(value)
    ]
    highest = max([1.0, *found])
    lowest = max(LEAST_S, min([0.1, *found]))
    top = 10.0 ** math.ceil(math.log10(highest))
    return Axis(10.0 ** math.floor(math.log10(lowest)), top, HEIGHT - BOTTOM, TOP)


def _across(share: float) -> float:
    """Return where a share of the requests stands: each nine has the same room."""
    nines = math.log10(1 / (1 - share)) / math.log10(1 / (1 - SHARES[-1]))
    return LEFT + (WIDTH - LEFT - RIGHT) * nines


def _frame(title: str, axis: Axis) -> list[str]:
    parts = [text(LEFT, TOP - 14, f"{title}: seconds to the first token", bold=True)]
    for tick in axis.ticks():
        parts.append(line(LEFT, axis.at(tick), _across(SHARES[-1]), axis.at(tick), GRID))
        label = text(LEFT - 8, axis.at(tick) + 4, short(tick), anchor="end", color=FAINT)
        parts.append(label)
    for share in MARKS:
        at = _across(share)
        parts.append(line(at, TOP, at, HEIGHT - BOTTOM, GRID))
        label = f"{share * 100:g} %"
        parts.append(text(at, HEIGHT - BOTTOM + 16, label, anchor="middle", color=FAINT))
    words = "of the requests have their first token within"
    parts.append(text(LEFT, HEIGHT - BOTTOM + 34, words, color=FAINT))
    return parts


def _lines(curves: Curves, colors: Mapping[str, str], axis: Axis) -> list[str]:
    parts, ends = [], {}
    for name, curve in curves.items():
        points = [
            (_across(share), axis.at(max(value, axis.low)))
            for share, value in zip(SHARES, curve, strict=True)
            if not math.isnan(value)
        ]
        if not points:
            continue
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline points="{drawn}" fill="none" stroke="{colors[name]}" '
            f'stroke-width="2" stroke-linejoin="round"/>'
        )
        ends[name] = points[-1][1]
    for name, y in apart(ends, ROOM).items():
        parts.append(text(_across(SHARES[-1]) + 10, y + 4, name, color=colors[name]))
    return parts
