"""A report as one page that needs nothing else: tables, and every request as a dot."""

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from itertools import groupby

from bench.figures import percentile
from bench.runs.report import Document
from bench.runs.shown import span
from bench.svg import FAINT, GRID, INK, Axis, decades, line, short, text

WIDTH, LEFT, RIGHT = 960, 300, 90
ROW, TOP = 34, 16
DOT, MARK = "#0969da", "#d9480f"
DOTS = 2_000  # of a row, at most: more is a page that no browser likes

PANELS = (
    ("ttft_ms", "Time to the first token, ms"),
    ("inter_token_ms", "Between tokens, median of a request, ms"),
    ("latency_ms", "Time to the whole answer, ms"),
    ("tokens_per_sec", "Tokens a second of one answer"),
)

STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; color: #24292f; margin: 2em auto; max-width: 1000px; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: .3em .8em .3em 0; text-align: left; border-bottom: 1px solid #d8dee4; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
p.note { color: #57606a; } .bad { color: #b42318; font-weight: 600; }
svg { max-width: 100%; height: auto; }
"""

Row = tuple[str, Sequence[float]]


def page(report: Document) -> str:
    """Return the page of a report of ours."""
    title = (
        f"{report['target']}: {', '.join(sorted({one['workload'] for one in report['samples']}))}"
    )
    when = datetime.fromtimestamp(report["observed_at"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    count = len(report["requests"])
    facts = f"{when}, {count} requests, {report['concurrency']} at a time"
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1><p>{escape(facts)}</p>",
    ]
    if not report["complete"]:
        why = report["stopped"] or "not everything was asked"
        parts.append(f'<p class="bad">Partial: {escape(why)}</p>')
    if failures := report["failures"]:
        told = ", ".join(f"{word}: {times}" for word, times in failures.items())
        parts.append(f'<p class="bad">Failed: {escape(told)}</p>')
    parts.append(_table(report))
    for field, heading in PANELS:
        if rows := _rows(report, field):
            parts.append(f"<h2>{escape(heading)}</h2>{panel(heading, rows)}")
    parts.append(
        '<p class="note">Every request that was answered is a dot; the line marks p50, the short '
        "ones p5 and p95. Axes are logarithmic.</p></body></html>\n"
    )
    return "\n".join(parts)


def panel(title: str, rows: Sequence[Row]) -> str:
    """Return one picture: a row of dots for each of `rows`, with its quantiles."""
    base = TOP + ROW * len(rows)
    axis = decades((value for _, values in rows for value in values), LEFT, WIDTH - RIGHT)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {base + 30}" '
        f'width="{WIDTH}" height="{base + 30}" font-family="system-ui, sans-serif" '
        f'font-size="12" role="img"><title>{escape(title)}</title>'
    ]
    for tick in axis.finer_ticks():
        parts.append(line(axis.at(tick), TOP, axis.at(tick), base, GRID))
        parts.append(text(axis.at(tick), base + 16, short(tick), anchor="middle", color=FAINT))
    for number, (name, values) in enumerate(rows):
        parts += _dots(name, values, axis, TOP + ROW * (number + 0.5))
    return "\n".join([*parts, "</svg>"])


def _dots(name: str, values: Sequence[float], axis: Axis, y: float) -> list[str]:
    ordered = sorted(values)
    step = -(-len(ordered) // DOTS)
    parts = [text(LEFT - 12, y + 4, _shortened(name), anchor="end")]
    parts += [
        # Side by side instead of on top of each other, so that many look like many.
        f'<circle cx="{axis.at(value):.1f}" cy="{y + (index % 5 - 2) * 3:.1f}" r="2.5" '
        f'fill="{DOT}" fill-opacity="0.45"/>'
        for index, value in enumerate(ordered[::step])
    ]
    middle = statistics.median(ordered)
    low, high = percentile(ordered, 0.05) or middle, percentile(ordered, 0.95) or middle
    for value, half in ((low, 6), (middle, 13), (high, 6)):
        parts.append(line(axis.at(value), y - half, axis.at(value), y + half, MARK, width=2))
    parts.append(text(WIDTH - RIGHT + 10, y + 4, short(middle), color=INK, bold=True))
    return parts


def _rows(report: Document, field: str) -> list[Row]:
    def key(one: Document) -> tuple[str, str]:
        return (one["service_id"] or "unnamed", one["workload"])

    known = [one for one in report["requests"] if one[field] and not one["failure"]]
    return [
        (" ".join(who), [one[field] for one in found])
        for who, found in groupby(sorted(known, key=key), key)
    ]


def _table(report: Document) -> str:
    titles = ("Service", "Asset", "Workload")
    numbers = ("Requests", "Passed", "TTFT p50", "p95", "Tokens/s", "Latency p50")
    head = "".join(f"<th>{one}</th>" for one in titles)
    head += "".join(f'<th class="n">{one}</th>' for one in numbers)
    rows = []
    for one in report["samples"]:
        found = one["results"]
        rate, speed = found["pass_rate"], found["tokens_per_sec"]
        cells = "".join(
            f"<td>{escape(cell)}</td>"
            for cell in (one["service_id"], one["asset_id"] or "-", one["workload"])
        )
        cells += "".join(
            f'<td class="n">{escape(cell)}</td>'
            for cell in (
                str(found["request_count"]),
                "-" if rate is None else f"{rate:.0%}",
                span(found["ttft_ms"]),
                span(found["p95_ttft_ms"]),
                "-" if speed is None else f"{speed:.1f}",
                span(found["p50_latency_ms"]),
            )
        )
        rows.append(f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _shortened(name: str) -> str:
    """Return `name` as it fits beside the dots, without its middle if need be."""
    return name if len(name) <= 44 else f"{name[:21]}…{name[-22:]}"
