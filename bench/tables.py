"""The figures of a comparison as Markdown."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.cases import CASES, GAP_MS, JSON_1, JSON_64, SSE_64, SSE_256, Case
from bench.figures import Spread, differences, ratios, spread
from bench.fleet_figures import Figures
from bench.results import Results
from bench.targets import DIRECT, LITELLM, NGINX, OURS, OURS_2, SGLANG, VLLM

TIMES, DASH = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"


def render(results: Results) -> str:
    """Return all tables, with what they were measured on before them."""
    view = _View(results)
    sections = {
        "Asked and measured": _goals(view),
        "Whole answers, 64 connections": _whole(view),
        "Added latency, 1 connection": _added(view),
        f"Streams, an event every {GAP_MS:g} ms": _streams(view),
        "Two workers": _workers(view),
        "Versions, start, memory": _programs(view),
        "Control and its nodes": _fleets(results.fleets),
        "Left out": "\n".join(f"- {name}: {why}" for name, why in results.skipped.items()),
    }
    told = [f"### {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n\n".join([_about(results), *told])


@dataclass(frozen=True, slots=True)
class _View:
    """Figures as the tables want them: by round, and what the load generator could not tell."""

    results: Results

    def of(self, target: str, case: Case, name: str) -> dict[int, float]:
        return self.results.figures(target, case.name, name)

    def latency(self, target: str, case: Case, name: str, share: str) -> dict[int, float]:
        found = self.results.summaries(target, case.name, name)
        return {number: summary[share] for number, summary in found.items()}

    def added(self, target: str, case: Case, name: str, share: str) -> dict[int, float]:
        """Return microseconds on top of those without anything in between."""
        here, bare = (self.latency(one, case, name, share) for one in (target, DIRECT))
        return differences(here, bare)

    def per_core(self, target: str) -> dict[int, float]:
        """Return the requests a second of a whole core."""
        cost = self.of(target, JSON_64, "cpu_per_request")
        return {number: 1e6 / value for number, value in cost.items()}

    def names(self, case: Case, name: str) -> list[str]:
        """Return the targets that were measured at `case`, the least `name` first."""
        found = {row.target for row in self.results.rows if row.case == case.name}
        middle = {one: spread(list(self.of(one, case, name).values())) for one in found}
        return sorted(found, key=lambda one: m.median if (m := middle[one]) else float("inf"))


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


def _whole(view: _View) -> str:
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


def _added(view: _View) -> str:
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


def _streams(view: _View) -> str:
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


def _workers(view: _View) -> str:
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
        + f"{_cell(_speed_up(view), TIMES)} of one: twice, by CPU per request."
    )


def _programs(view: _View) -> str:
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


def _fleets(fleets: Sequence[Figures]) -> str:
    """Return what fleets cost control, a column each."""
    if not fleets:
        return ""
    columns = [one.rows() for one in fleets]
    titles, *rows = (
        [line[0][0], *(value for _, value in line)] for line in zip(*columns, strict=True)
    )
    return _table(titles, rows)


def _goals(view: _View) -> str:
    cost = view.of(OURS, JSON_64, "cpu_per_request")
    ours = view.per_core(OURS)
    events = view.of(OURS, SSE_256, "cpu_per_event")
    added = view.added(OURS, JSON_1, "latency", "p50")
    delivered = [
        row.outcome.delivered / row.outcome.asked
        for row in view.results.rows
        if (row.target, row.case) == (OURS, SSE_256.name) and row.outcome.asked
    ]
    lines = [
        (
            "CPU/request, to nginx",
            ratios(cost, view.of(NGINX, JSON_64, "cpu_per_request")),
            "≤",
            1.8,
        ),
        ("requests/s per core, to nginx", ratios(ours, view.per_core(NGINX)), "≥", 0.55),
        ("requests/s per core, to vllm-router", ratios(ours, view.per_core(VLLM)), "≥", 1.3),
        ("requests/s per core, to sglang-router", ratios(ours, view.per_core(SGLANG)), "≥", 1.6),
        ("requests/s per core, to LiteLLM", ratios(ours, view.per_core(LITELLM)), "≥", 250),
        (
            "CPU/event of 256 streams, to nginx",
            ratios(events, view.of(NGINX, SSE_256, "cpu_per_event")),
            "≤",
            1.6,
        ),
        ("events of 256 streams delivered", delivered, "≥", 1),
        (
            "p50 added on 1 connection, to nginx",
            ratios(added, view.added(NGINX, JSON_1, "latency", "p50")),
            "≤",
            1.5,
        ),
        ("two workers, to one", _speed_up(view), "≥", 1.8),
    ]
    rows = []
    for what, values, relation, bound in lines:
        middle = spread(values)
        if middle is None:
            met = "not measured"
        elif relation == "≤":
            met = "yes" if middle.median <= bound else "**no**"
        else:
            met = "yes" if middle.median >= bound else "**no**"
        rows.append([what, f"{relation} {bound:g} {TIMES}", _cell(values, TIMES), met])
    return _table(["GenieHive", "asked", "measured", "met"], rows)


def _speed_up(view: _View) -> list[float]:
    one, two = (view.of(name, JSON_64, "cpu_per_request") for name in (OURS, OURS_2))
    return [2 * value for value in ratios(one, two)]


def _delivered(view: _View, name: str) -> str:
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
