"""Runs, samples and comparisons for people."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from geniehive.v1 import benchmark_service_pb2 as pb

from bench.progress import bar
from bench.runs.comparison import PASSED, Change
from bench.runs.record import Record
from bench.runs.report import Document
from bench.runs.runner import Progress
from cli.table import Row, table
from cli.text import age, duration, plural

FAILURES_SHOWN = 3


def span(milliseconds: float | None) -> str:
    """Return a time: `5.2 ms`, `420 ms`, `1.8 s`; `-` where there is none."""
    if milliseconds is None:
        return "-"
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else duration(milliseconds / 1_000)


def progress(one: Progress, seconds: float) -> str:
    """Return how far a run is. seconds: since it began."""
    done = len(one.records)
    answered = [record for record in one.records if record.answered]
    parts = [
        bar(done, one.size),
        f"ok {len(answered)}",
    ]
    if failures := told_failures(one.records):
        parts.append(f"failed {done - len(answered)} ({failures})")
    if first := _median(record.ttft_ms for record in answered):
        parts.append(f"TTFT p50 {span(first)}")
    if speed := _median(record.tokens_per_sec for record in answered):
        parts.append(f"{speed:.0f} tok/s")
    if 0 < done < one.size:
        parts.append(f"{age(seconds / done * (one.size - done))} left")
    return "  ".join(parts)


def summary(records: Sequence[Record], stopped: str) -> str:
    """Return who answered how many: the first words of the last line."""
    by = Counter(one.service_id or "an unnamed service" for one in records if one.answered)
    parts = [f"{count} by {name}" for name, count in by.most_common()]
    failed = sum(not one.answered for one in records)
    if failed:
        parts.append(f"{failed} failed ({told_failures(records)})")
    state = f"stopped: {stopped}; " if stopped else ""
    return f"{state}{len(records)} done: {', '.join(parts) or 'none answered'}"


def told_failures(records: Iterable[Record]) -> str:
    """Return what went wrong, the most frequent first: `timeout, cut_off 2`."""
    counts = Counter(one.failure for one in records if one.failure)
    return ", ".join(
        word if count == 1 else f"{word} {count}"
        for word, count in counts.most_common(FAILURES_SHOWN)
    )


def results(report: Document) -> str:
    """Return the samples of a report as a table."""
    return _table(
        [
            (one["service_id"], one["asset_id"] or "-", one["workload"], one["results"], ())
            for one in report["samples"]
        ],
        (),
    )


def kept(samples: Sequence[pb.BenchmarkSample], now: datetime) -> str:
    """Return samples that control keeps as a table, the newest first."""
    rows = []
    for one in samples:
        seconds = (now - one.observed_time.ToDatetime(UTC)).total_seconds()
        notes = (age(seconds), f"{one.weight:.2f}", "" if one.service_known else "not registered")
        rows.append((one.service_id, one.asset_id or "-", one.workload, one.results, notes))
    return _table(rows, ("AGE", "WEIGHT", "NOTE"))


def comparison(changes: Sequence[Change]) -> str:
    """Return what changed as a table."""
    rows = [
        Row(
            (number,),
            (
                one.figure,
                _figure(one, one.old, one.old_count),
                _figure(one, one.new, one.new_count),
                _percent(one),
                _verdict(one),
            ),
        )
        for number, one in enumerate(changes)
    ]
    return table(("", "OLD", "NEW", "CHANGE", "VERDICT"), rows, numbers=("OLD", "NEW", "CHANGE"))


def _table(rows: Sequence[tuple[str, str, str, object, Sequence[str]]], more: Sequence[str]) -> str:
    numbers = ("RUNS", "PASSED", "TTFT", "P95", "BETWEEN", "TOK/S", "LATENCY", "AGE", "WEIGHT")
    titles = ("SERVICE", "ASSET", "WORKLOAD", *numbers[:7], *more)
    made = [
        Row((number,), (service, asset, workload, *_cells(found), *notes))
        for number, (service, asset, workload, found, notes) in enumerate(rows)
    ]
    return table(titles, made, numbers=numbers)


def _cells(results: object) -> Sequence[str]:
    found = dict(results) if isinstance(results, dict) else dict(results.items())  # type: ignore[attr-defined]  # a Struct

    def number(name: str) -> float | None:
        value = found.get(name)
        return float(value) if isinstance(value, (int, float)) else None

    rate, speed = number("pass_rate"), number("tokens_per_sec")
    count = number("request_count") or number("case_count")
    return (
        "?" if count is None else f"{count:.0f}",
        "?" if rate is None else f"{rate:.0%}",
        span(number("ttft_ms")),
        span(number("p95_ttft_ms")),
        span(number("inter_token_ms")),
        "-" if speed is None else f"{speed:.1f}",
        span(number("p50_latency_ms")),
    )


def _figure(one: Change, value: float, count: int) -> str:
    if one.figure == PASSED.title:
        return f"{round(value * count)}/{count}" if count else f"{value:.0%}"
    return f"{value:.1f}" if one.figure == "tokens/s" else span(value)


def _percent(one: Change) -> str:
    if one.change is None:
        return "?"
    unit = "pt" if one.figure == PASSED.title else "%"
    return f"{one.change * 100:+.0f} {unit}"


def _verdict(one: Change) -> str:
    if one.low is None or one.high is None or one.verdict == "within noise":
        return one.verdict
    return f"{one.verdict} (95 % CI {one.low * 100:+.0f}..{one.high * 100:+.0f})"


def _median(values: Iterable[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return statistics.median(found) if found else None


def unsigned(count: int) -> str:
    """Return the note about answers that told no service."""
    return (
        f"note: {plural(count, 'answer')} without a service, counted for none; "
        "an engine that is asked directly: --service-id NAME"
    )


def unknown_services(names: Sequence[str]) -> str:
    """Return the warning about samples of services that control does not know."""
    count = plural(len(names), "service")
    return f"samples are kept for {count} not registered now: {', '.join(names)}"
