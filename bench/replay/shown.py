"""Replays for people: tables, a line of progress, and Markdown for documentation."""

import math
from collections.abc import Iterable, Mapping, Sequence

from bench.progress import bar
from bench.replay.client import Run, Seen
from bench.replay.simulation import Row
from bench.runs.shown import span
from cli import table
from cli.text import age, plural

TITLES = ("TRACE", "FLEET", "LOAD", "DECIDED BY", "GOODPUT", "TTFT P50", "P95", "P99", "WHOLE")
MORE = ("WAIT P95", "REFUSED", "COLD")
NUMBERS = (*TITLES[4:], *MORE, "LOAD")
FAILURES_SHOWN = 3


def rows(found: Iterable[Row]) -> str:
    """Return what ways to decide came to, each in the middle of its runs."""
    made = [table.Row((number,), _cells(one)) for number, one in enumerate(found)]
    return table.table((*TITLES, *MORE), made, numbers=NUMBERS)


def _cells(one: Row) -> Sequence[str]:
    times = (one.median(name) for name in ("ttft_p50", "ttft_p95", "ttft_p99", "whole_mean"))
    return (
        one.trace,
        one.fleet,
        f"{one.load:g}",
        one.name,
        f"{one.median('goodput'):.3f}",
        *(seconds(time) for time in times),
        seconds(one.median("waited_p95")),
        f"{one.median('refused'):.1%}",
        f"{one.median('cold'):.1%}",
    )


def seconds(value: float) -> str:
    """Return a time: `420 ms`, `1.8 s`; `-` for NaN."""
    return span(None if math.isnan(value) else value * 1_000)


def simulated(done: int, size: int, what: str, passed: float) -> str:
    """Return how far a simulation is. passed: seconds since it began."""
    left = f"  {age(passed / done * (size - done))} left" if 0 < done < size else ""
    return f"{bar(done, size)}  {what}{left}"


def sending(run: Run, passed: float, duration: float) -> str:
    """Return how far a replay is. passed: seconds since it began, of about `duration`."""
    failures = _counts(_failures(run))
    parts = [bar(len(run.over), run.size), f"{run.under_way} under way"]
    parts += [f"failed {failures}"] if failures else []
    parts += [f"{age(duration - passed)} left"] if passed < duration else []
    return "  ".join(parts)


def seen(one: Seen) -> str:
    """Return what a replay came to, a line each."""
    lines = {
        "requests": f"{one.sent} sent, {one.answered} answered",
        "failed": _counts(one.errors) or "none",
        "sent late": f"p99 {seconds(one.late_p99)}, at most {seconds(one.late_max)}",
        "goodput": f"{one.goodput:.3f}",
        "TTFT": f"p50 {seconds(one.ttft_p50)}, p95 {seconds(one.ttft_p95)},"
        f" p99 {seconds(one.ttft_p99)}",
        "whole answer": f"p50 {seconds(one.whole_p50)}, p95 {seconds(one.whole_p95)}",
        "tokens a second": f"{one.tokens_per_s:.1f}",
        "waited": f"{one.waited}: p50 {seconds(one.wait_p50)}, p95 {seconds(one.wait_p95)}"
        if one.waited
        else "none",
        "answered by": _counts(one.services) or "nobody",
    }
    width = max(map(len, lines))
    return "\n".join(f"{what:<{width}}  {told}" for what, told in lines.items())


def late(one: Seen) -> str:
    """Return the warning about requests that were not sent when they should have been."""
    return (
        f"warning: requests were sent up to {seconds(one.late_max)} late;"
        " this machine is too busy for that rate"
    )


def _failures(run: Run) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for one in run.over:
        if one.failure:
            counts[one.failure] = counts.get(one.failure, 0) + 1
    return counts


def _counts(found: Mapping[str, int]) -> str:
    """Return the most frequent of them: `all_busy 12, timeout 2`."""
    most = sorted(found.items(), key=lambda item: -item[1])
    told = [f"{name} {count}" for name, count in most[:FAILURES_SHOWN]]
    hidden = len(most) - len(told)
    return ", ".join([*told, *([f"and {plural(hidden, 'other')}"] if hidden else [])])
