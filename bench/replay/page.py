"""What simulations came to, as the page about routing tells it: tables, and a picture."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.replay import plot
from bench.replay.simulation import Row

OURS = "expected_completion, room on"  # what all others are compared with
# What the picture shows: more curves than these nobody can tell apart.
DRAWN = (
    OURS,
    "expected_completion, room off",
    "least_loaded, room on",
    "least_loaded, room off",
    "scored, room off",
    "herd",
    "llm_d",
    "localai_prefix",
)
DRAWN_LOAD = 0.7

Case = tuple[str, str, float]  # trace, fleet, load


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it should be, and what that came to. what: for people."""

    what: str
    rows: Sequence[Row]


def comparison(rows: Sequence[Row], fleet: str) -> str:
    """Return a table of who decides how well in a fleet, the best first.

    Each cell: goodput, and seconds to the first token that 95 % have within.
    """
    here = {(one.name, _case(one)): one for one in rows if one.fleet == fleet}
    cases = list(dict.fromkeys(case for _, case in here))
    names = list(dict.fromkeys(name for name, _ in here))

    def goodput(name: str) -> float:
        return fmean(here[name, case].median("goodput") for case in cases)

    def slower(name: str) -> float:
        """How many times as long as with ours 95 % wait, as a geometric mean."""
        times = [
            here[name, case].median("ttft_p95") / here[OURS, case].median("ttft_p95")
            for case in cases
        ]
        return math.exp(fmean(map(math.log, times)))

    heads = [f"{trace} {load:g}" for trace, _, load in cases]
    runs = len(next(iter(here.values())).runs)
    lines = [
        f"Fleet {fleet}, {'one run' if runs == 1 else f'the middle of {runs} runs'}:",
        "",
        f"| decided by | goodput | TTFT p95 | {' | '.join(heads)} |",
        f"| --- | ---: | ---: |{' ---: |' * len(cases)}",
    ]
    for name in sorted(names, key=lambda name: -goodput(name)):
        cells = [
            f"{one.median('goodput'):.2f} / {_short(one.median('ttft_p95'))}"
            for one in (here[name, case] for case in cases)
        ]
        told = f"**{name}**" if name == OURS else name
        figures = f"{goodput(name):.3f} | {_short(slower(name))} x"
        lines.append(f"| {told} | {figures} | {' | '.join(cells)} |")
    return "\n".join(lines)


def robustness(base: Sequence[Row], changes: Iterable[Change]) -> str:
    """Return a table of what changes cost, in points of goodput."""
    known = {_case(one): one.median("goodput") for one in base}
    heads = [f"{trace} {fleet}" for trace, fleet, _ in known]
    lines = [
        f"| {OURS} | {' | '.join(heads)} | mean |",
        f"| --- |{' ---: |' * (len(known) + 1)}",
        _line("as it is", known, {}),
    ]
    for change in changes:
        found = {_case(one): one.median("goodput") for one in change.rows}
        lines.append(_line(change.what, found, known))
    return "\n".join(lines)


def _line(what: str, found: Mapping[Case, float], known: Mapping[Case, float]) -> str:
    cells = [
        f"{value:.3f} ({100 * (value - known[case]):+.1f})" if known else f"{value:.3f}"
        for case, value in found.items()
    ]
    mean = fmean(found.values())
    lost = f" ({100 * (mean - fmean(known.values())):+.1f})" if known else ""
    return f"| {what} | {' | '.join(cells)} | {mean:.3f}{lost} |"


def picture(rows: Iterable[Row]) -> str:
    """Return the times to the first token as SVG."""
    panels: dict[str, dict[str, Sequence[float]]] = {}
    for one in rows:
        if one.load == DRAWN_LOAD and one.name in DRAWN:
            title = f"{one.trace}, fleet {one.fleet}, load {one.load:g}"
            panels.setdefault(title, {})[one.name] = one.curve
    return plot.draw(panels)


def _case(one: Row) -> Case:
    return one.trace, one.fleet, one.load


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
