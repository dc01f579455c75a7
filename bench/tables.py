"""The figures of a comparison as Markdown."""

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.cases import CASES, GAP_MS, JSON_1, JSON_64, SSE_64, SSE_256
from bench.figures import Spread, ratios, spread
from bench.fleet_figures import Figures
from bench.goals import TIMES, goals, two_to_one
from bench.results import Results
from bench.role_figures import RoleFigures
from bench.targets import DIRECT, NGINX, OURS, OURS_2
from bench.view import View
from bench.view_figures import ViewFigures

DASH = "\N{EN DASH}"


def render(results: Results) -> str:
    """Return all tables, with what they were measured on before them."""
    view = View(results)
    sections = {
        "Asked and measured": _goals(view),
        "Whole answers, 64 connections": _whole(view),
        "Added latency, 1 connection": _added(view),
        f"Streams, an event every {GAP_MS:g} ms": _streams(view),
        "Two workers": _workers(view),
        "Versions, start, memory": _programs(view),
        "Control and its nodes": _columns(results.fleets),
        "Roles": _columns(results.roles),
        "Views": _columns(results.views),
        "Left out": "\n".join(f"- {name}: {why}" for name, why in results.skipped.items()),
    }
    told = [f"### {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n\n".join([_about(results), *told])


def _about(results: Results) -> str:
    machine = results.machine
    rounds = max((row.round for row in results.rows), default=0)
    restless = Counter(row.target for row in results.rows if not row.drained)
    told = ", ".join(f"{count} of {name}" for name, count in restless.items())
    return (
        f"Measured on {results.when} UTC, rounds: {rounds}; {machine.cores} cores of {machine.cpu},"
        f" {machine.memory_gib} GiB, Linux {machine.kernel}, Python {machine.python}."
        f"\nThe machine's own host took {results.steal:.1f} s of CPU away meanwhile."
        + (f"\nRuns that began before their target had come to rest: {told}." if told else "")
    )


def _whole(view: View) -> str:
    titles = [
        "",
        "CPU µs/request",
        "to nginx",
        "requests/s measured",
        "of its core",
        "requests/s per core",
        "to nginx",
    ]
    nginx_cost, nginx_rate = view.of(NGINX, JSON_64, "cpu_per_request"), view.per_core(NGINX)
    rows = []
    for name in view.names(JSON_64, "cpu_per_request"):
        if name == OURS_2:
            continue
        cost, rate = view.of(name, JSON_64, "cpu_per_request"), view.per_core(name)
        rows.append(
            [
                _name(name),
                _cell(cost.values()),
                _cell(ratios(cost, nginx_cost), TIMES),
                _cell(view.of(name, JSON_64, "requests_per_second").values()),
                _percent(view.of(name, JSON_64, "cpu_share").values()),
                _cell(rate.values()),
                _cell(ratios(rate, nginx_rate), TIMES),
            ]
        )
    return _table(titles, rows)


def _added(view: View) -> str:
    titles = ["", "p50 µs added", "to nginx", "p99 µs added", "to nginx", "p50 µs in all"]
    rows = []
    for name in view.names(JSON_1, "cpu_per_request"):
        cells = [_name(name)]
        for share in ("p50", "p99"):
            added = view.added(name, JSON_1, "latency", share)
            nginx = view.added(NGINX, JSON_1, "latency", share)
            cells += (
                [DASH, DASH]
                if name == DIRECT
                else [_cell(added.values()), _cell(ratios(added, nginx), TIMES)]
            )
        whole = view.latency(name, JSON_1, "latency", "p50")
        rows.append([*cells, _cell(whole.values())])
    return _table(titles, rows)


def _streams(view: View) -> str:
    titles = [
        "",
        "64 streams: CPU µs/event",
        "to nginx",
        "first byte p50 µs added",
        "256 streams: CPU µs/event",
        "to nginx",
        f"events/s of {_asked_rate():,.0f}",
        "delivered",
    ]
    rows = []
    for name in view.names(SSE_256, "cpu_per_event"):
        cells = [_name(name)]
        for case in (SSE_64, SSE_256):
            cost = view.of(name, case, "cpu_per_event")
            nginx = view.of(NGINX, case, "cpu_per_event")
            cells += [_cell(cost.values()), _cell(ratios(cost, nginx), TIMES)]
            if case is SSE_64:
                cells.append(
                    DASH
                    if name == DIRECT
                    else _cell(view.added(name, case, "first_byte", "p50").values())
                )
        rate = view.of(name, SSE_256, "events_per_second")
        rows.append([*cells, _cell(rate.values()), _delivered(view, name)])
    return _table(titles, rows)


def _workers(view: View) -> str:
    one, two = (view.of(name, JSON_64, "cpu_per_request") for name in (OURS, OURS_2))
    if not one or not two:
        return ""
    titles = ["", "requests/s measured", "cores used", "CPU µs/request"]
    rows = [
        [
            _name(name),
            _cell(view.of(name, JSON_64, "requests_per_second").values()),
            _cell(view.of(name, JSON_64, "cpu_share").values()),
            _cell(view.of(name, JSON_64, "cpu_per_request").values()),
        ]
        for name in (OURS, OURS_2)
    ]
    return (
        _table(titles, rows)
        + "\n\nTwo workers on two cores of their own would do "
        + f"{_cell(two_to_one(view), TIMES)} of one: twice, by CPU per request."
    )


def _programs(view: View) -> str:
    results = view.results
    titles = ["", "version", "first answer after, s", "memory after load, MiB", "errors"]
    rows = []
    for name, version in results.versions.items():
        rss: dict[int, float] = {}
        for case in CASES:
            rss |= results.figures(name, case.name, "rss_mib")
        failed = sum(sum(r.outcome.errors.values()) for r in results.rows if r.target == name)
        ready = f"{results.ready[name]:.2f}"
        rows.append([_name(name), version, ready, _cell(rss.values()), f"{failed:,}"])
    return _table(titles, rows)


def _columns(found: Sequence[Figures | RoleFigures | ViewFigures]) -> str:
    """Return what was measured with fleets, a column each."""
    if not found:
        return ""
    columns = [one.rows() for one in found]
    titles, *rows = (
        [line[0][0], *(value for _, value in line)] for line in zip(*columns, strict=True)
    )
    return _table(titles, rows)


def _goals(view: View) -> str:
    rows = []
    for goal in goals(view):
        asked = f"{'≤' if goal.at_most else '≥'} {goal.bound:g} {goal.unit}"
        met = {True: "yes", False: "**no**", None: "not measured"}[goal.met]
        rows.append([goal.what, asked, _cell(goal.values, goal.unit), met])
    return _table(["GenieHive", "asked", "measured", "met"], rows)


def _delivered(view: View, name: str) -> str:
    found = [r.outcome for r in view.results.rows if (r.target, r.case) == (name, SSE_256.name)]
    asked, got = sum(one.asked for one in found), sum(one.delivered for one in found)
    return f"{got:,} of {asked:,}" if asked else "no stream ended"


def _asked_rate() -> float:
    return SSE_256.connections * 1_000 / GAP_MS


def _name(target: str) -> str:
    return f"**{target}**" if target in (OURS, OURS_2) else target


def _cell(values: Iterable[float], unit: str = "") -> str:
    found = spread(list(values))
    if found is None:
        return DASH
    return _spread(found, unit)


def _spread(found: Spread, unit: str) -> str:
    middle = _number(found.median) + (f" {unit}" if unit else "")
    if found.low == found.high:
        return middle
    return f"{middle} ({_number(found.low)}{DASH}{_number(found.high)})"


def _percent(values: Iterable[float]) -> str:
    found = spread(list(values))
    return f"{found.median:.0%}" if found else DASH


def _number(value: float) -> str:
    """Return three figures, or all of a whole number with its thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
