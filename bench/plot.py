"""The figures of a comparison as a picture: SVG, written directly.

Two rows of dots, one for each target, and the curve of latencies. All axes are
logarithmic: the slowest costs a thousand times what the fastest does.
"""

import math
import statistics
from collections.abc import Sequence

from bench.cases import JSON_1, JSON_64
from bench.figures import Spread, spread
from bench.outcome import CURVE
from bench.results import Results
from bench.svg import FAINT, GRID, INK, decades, line, short, text
from bench.targets import DIRECT, LITELLM, NGINX, OURS, PLAIN, SGLANG, VLLM

WIDTH = 960
ROW = 26  # pixels a target
LEFT = 150  # for the names of targets
PANEL = 370  # width of one of the two upper panels
GAP = 50
TOP = 56
CURVES = 300  # height of the lower panel

# Readable beside each other also for those who see few colours.
COLORS = {
    DIRECT: "#8c959f",
    NGINX: INK,
    OURS: "#d9480f",
    VLLM: "#0969da",
    SGLANG: "#1b7c83",
    LITELLM: "#8250df",
    PLAIN: "#9a6700",
}


def draw(results: Results) -> str:
    """Return the picture."""
    cost = _spreads(results, "cpu_per_request")
    rate = _spreads(results, "requests_per_second")
    names = sorted(cost, key=lambda name: cost[name].median)
    base = TOP + ROW * len(names)
    left, right = LEFT, LEFT + PANEL + GAP
    parts = [
        *(
            text(LEFT - 12, _row(number) + 4, name, anchor="end", bold=name == OURS)
            for number, name in enumerate(names)
        ),
        *_dots("CPU µs/request", cost, names, (left, left + PANEL), base),
        *_dots("requests/s", rate, names, (right, right + PANEL), base),
        *_curves(results, base + 76),
    ]
    height = base + 76 + CURVES + 56
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" '
            f'font-size="12" role="img">',
            "<title>CPU, requests a second and latency of gateways</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _spreads(results: Results, figure: str) -> dict[str, Spread]:
    found = {}
    for name in COLORS:
        if over := spread(list(results.figures(name, JSON_64.name, figure).values())):
            found[name] = over
    return found


def _row(number: int) -> float:
    return TOP + ROW * (number + 0.5)


def _dots(
    title: str,
    values: dict[str, Spread],
    names: Sequence[str],
    span: tuple[float, float],
    base: float,
) -> list[str]:
    """Return a panel: a dot at the median, a line from the least to the greatest."""
    start, end = span
    # Room for the figure beside the last dot.
    axis = decades((v for one in values.values() for v in (one.low, one.high)), start, end - 50)
    parts = [text(start, TOP - 22, f"{title}, {JSON_64.connections} connections", bold=True)]
    for tick in axis.ticks():
        parts.append(line(axis.at(tick), TOP, axis.at(tick), base, GRID))
        parts.append(text(axis.at(tick), base + 16, short(tick), anchor="middle", color=FAINT))
    for number, name in enumerate(names):
        one, y, color = values[name], _row(number), COLORS[name]
        parts.append(line(axis.at(one.low), y, axis.at(one.high), y, color, width=3))
        parts.append(f'<circle cx="{axis.at(one.median):.1f}" cy="{y:.1f}" r="5" fill="{color}"/>')
        label = text(axis.at(one.high) + 10, y + 4, short(one.median), bold=name == OURS, halo=True)
        parts.append(label)
    return parts


def _curves(results: Results, top: float) -> list[str]:
    """Return the latencies of one connection, each share of the requests at its own place.

    The axis gives every nine of 99.9 % the same room, as the histograms of HdrHistogram do.
    """
    found = {name: curve for name in COLORS if (curve := _curve(results, name))}
    bottom, start, end = top + CURVES, float(LEFT), float(LEFT + PANEL + GAP + PANEL - 110)
    axis = decades((v for curve in found.values() for v in curve), bottom, top + 12)
    nines = math.log10(1 / (1 - CURVE[-1]))

    def across(share: float) -> float:
        return start + (end - start) * math.log10(1 / (1 - share)) / nines

    parts = [text(start, top - 10, f"Latency in µs, {JSON_1.title}", bold=True)]
    for tick in axis.ticks():
        parts.append(line(start, axis.at(tick), end, axis.at(tick), GRID))
        label = text(start - 12, axis.at(tick) + 4, short(tick), anchor="end", color=FAINT)
        parts.append(label)
    for share in (0.5, 0.9, 0.99, 0.999):
        parts.append(line(across(share), top + 12, across(share), bottom, GRID))
        label = text(across(share), bottom + 18, f"{share * 100:g} %", anchor="middle", color=FAINT)
        parts.append(label)
    parts.append(text(start, bottom + 36, "of the requests are answered within", color=FAINT))
    for name, curve in found.items():
        points = " ".join(
            f"{across(share):.1f},{axis.at(value):.1f}"
            for share, value in zip(CURVE, curve, strict=True)
        )
        width = 3 if name == OURS else 1.6
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{COLORS[name]}" '
            f'stroke-width="{width}" stroke-linejoin="round"/>'
        )
    ends = {name: axis.at(curve[-1]) for name, curve in found.items()}
    for name, y in apart(ends, 15).items():
        parts.append(text(end + 10, y + 4, name, color=COLORS[name], bold=name == OURS))
    return parts


def _curve(results: Results, name: str) -> tuple[float, ...]:
    """Return the median over the rounds of each point of the curve."""
    curves = [one for one in results.figures(name, JSON_1.name, "curve").values() if one]
    return tuple(map(statistics.median, zip(*curves, strict=True)))


def apart(wanted: dict[str, float], room: float) -> dict[str, float]:
    """Return places near the wanted ones, from the top down, at least `room` apart."""
    placed: dict[str, float] = {}
    last = -math.inf
    for name, y in sorted(wanted.items(), key=lambda item: item[1]):
        last = max(y, last + room)
        placed[name] = last
    return placed
