"""Simulates all that docs/routing.md tells of it: `python -m bench.replay TRACE...`.

The traces are not part of the project; the page says where they are from.
"""

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import marks
from bench.peers import ROOT
from bench.progress import drawn
from bench.replay import page, shown, trace
from bench.replay.ours import Ours
from bench.replay.page import Change
from bench.replay.published import POLICIES
from bench.replay.simulation import Plan, Row, simulate
from bench.replay.trace import Entry
from bench.replay.wrong import Wrong
from cli.output import Output
from control.api.strategies import Strategy

DOCS = ROOT / "docs"
MARK = "{}, made by `make replay`"
LOADS = (0.5, 0.7, 0.9)
LOAD = 0.7  # of what is changed
SEEDS = 2  # of that
FLEETS = ("A", "B")
FACTORS = {"twice": 2.0, "half": 0.5}
BELIEFS = {
    "prefill": "speeds of reading believed {} as high",
    "decode": "speeds of writing believed {} as high",
    "answer": "answers believed {} as long",
    "skew": "both speeds believed {} as high, of every other engine",
    "slots": "slots told {} as many",
}


def main(paths: Sequence[str]) -> None:
    """Simulate, and write the sections of the page."""
    traces = trace.read_all([Path(one) for one in paths])
    ours = {
        f"{strategy}, room {word}": Ours(strategy, on)
        for strategy in Strategy
        for word, on in (("on", True), ("off", False))
    }
    rows = _run(Plan(traces, FLEETS, LOADS, ours, tuple(POLICIES)))
    base, changes = _changes(traces)
    path = DOCS / "routing.md"
    text = path.read_text(encoding="utf-8")
    tables = "\n\n".join(page.comparison(rows, fleet) for fleet in FLEETS)
    text = marks.filled(text, MARK.format("in simulation"), tables)
    robustness = page.robustness(base, changes)
    text = marks.filled(text, MARK.format("when something is wrong"), robustness)
    path.write_text(text, encoding="utf-8")
    (DOCS / "replay.svg").write_text(page.picture(rows), encoding="utf-8")


def _changes(traces: Mapping[str, Sequence[Entry]]) -> tuple[list[Row], list[Change]]:
    """Return what is as it should be, and what was changed."""
    base = Plan(traces, FLEETS, (LOAD,), {page.OURS: Ours()}, seeds=SEEDS)
    plans = {
        words.format(factor): replace(
            base, ours={page.OURS: Ours(wrong=Wrong(what, FACTORS[factor]))}
        )
        for what, words in BELIEFS.items()
        for factor in FACTORS
    }
    plans["slots not told, but learned"] = replace(base, ours={page.OURS: Ours(reported=False)})
    plans |= {f"news up to {age:g} s old": replace(base, age_s=age) for age in (1.0, 3.0)}
    plans |= {"one gateway": replace(base, gateways=1), "four": replace(base, gateways=4)}
    return _run(base), [Change(what, _run(plan)) for what, plan in plans.items()]


def _run(plan: Plan) -> list[Row]:
    """Simulate, as much at a time as there are cores."""
    parts = [
        replace(plan, traces={name: plan.traces[name]}, fleets=[fleet], loads=[load])
        for name in plan.traces
        for fleet in plan.fleets
        for load in plan.loads
    ]
    found: list[Row] = []
    with drawn(Output()) as draw, ProcessPoolExecutor() as pool:
        for done, rows in enumerate(pool.map(_rows, parts), 1):
            found += rows
            last = rows[-1]
            what = f"{last.trace} {last.fleet} {last.load:g}"
            draw(partial(shown.simulated, done, len(parts), what), True)
    return found


def _rows(plan: Plan) -> list[Row]:
    return list(simulate(plan, lambda done, what: None))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit('error: no trace; fix: make replay TRACES="FILE..."')
    try:
        main(sys.argv[1:])
    except trace.TraceError as error:
        sys.exit(f"error: {error}")
