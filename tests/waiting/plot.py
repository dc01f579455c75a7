"""Times to the first token as a picture: SVG, written directly."""

from bench.svg import FAINT, GRID, INK, Axis, line, text
from tests.waiting.results import Results, Run, cells, pooled

WIDTH, LEFT, PANEL, GAP = 960, 160, 240, 30
TOP, ROW, APART = 72, 34, 6  # pixels; APART: of the two lines of a strategy from its middle
LEAST_S, MOST_S = 0.1, 100.0
COLORS = {True: "#d9480f", False: "#0969da"}
WAITS = {True: "waits in the gateway", False: "waits in the engines"}


def draw(results: Results) -> str:
    """Return the picture: a panel for each load, p50 to p95 as a line, p99 as a mark behind it."""
    found = cells(results.runs)
    loads = sorted({load for load, _, _ in found})
    strategies = list(dict.fromkeys(strategy for _, strategy, _ in found))
    bottom = TOP + ROW * len(strategies)
    parts = [
        text(LEFT - 12, _row(number) + 4, name, anchor="end")
        for number, name in enumerate(strategies)
    ]
    for place, load in enumerate(loads):
        start = LEFT + place * (PANEL + GAP)
        axis = Axis(LEAST_S, MOST_S, start, start + PANEL)
        parts.append(text(start, TOP - 14, f"load {load:g}", bold=True))
        for tick in axis.ticks():
            parts.append(line(axis.at(tick), TOP, axis.at(tick), bottom, GRID))
            label = text(axis.at(tick), bottom + 18, f"{tick:g} s", anchor="middle", color=FAINT)
            parts.append(label)
        for number, strategy in enumerate(strategies):
            for room, color in COLORS.items():
                y = _row(number) + (-APART if room else APART)
                parts += _mark(axis, found.get((load, strategy, room), []), y, color)
    parts += _legend(bottom + 44)
    height = bottom + 60
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" '
            f'font-size="12" role="img">',
            "<title>Seconds until the first token, by load, strategy and way to wait</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            text(LEFT, 24, "Until the first token: p50 to p95, and p99", bold=True),
            *parts,
            "</svg>\n",
        ]
    )


def _row(number: int) -> float:
    return TOP + ROW * (number + 0.5)


def _mark(axis: Axis, runs: list[Run], y: float, color: str) -> list[str]:
    if not runs:
        return []
    p50, p95, p99 = (axis.at(pooled(runs, share)) for share in (0.5, 0.95, 0.99))
    return [
        line(p50, y, p95, y, color, width=3),
        line(p95, y, p99, y, color),
        f'<circle cx="{p50:.1f}" cy="{y:.1f}" r="3.5" fill="#ffffff" stroke="{color}"'
        ' stroke-width="2"/>',
        f'<circle cx="{p95:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>',
        line(p99, y - 4, p99, y + 4, color, width=2),
    ]


def _legend(y: float) -> list[str]:
    parts, x = [], float(LEFT)
    for room, words in WAITS.items():
        parts.append(line(x, y - 4, x + 24, y - 4, COLORS[room], width=3))
        parts.append(text(x + 32, y, words, color=INK))
        x += 220
    return parts
