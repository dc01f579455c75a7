"""What runs found, kept as JSON, and the page made of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.chaos.catalogue import PROMISES, Entry
from tests.chaos.promise import Figure, Form

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs" / "promises.json"
PAGE = ROOT / "docs" / "promises.md"
RUNS = ROOT / "build" / "chaos"  # one file a promise; a run that was cut off goes on from here

HEAD = """\
# Promises

What GenieHive promises about failures, and what was measured.
Made by `make chaos` from [promises.json](promises.json); do not edit.

A promise is *kept* when every figure that has a bound keeps it.
The full form of a run takes minutes, the short one seconds.
The short forms are part of `make test`, with ten times the time for what a busy machine delays.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one promise; `problem` when it ended without figures."""

    name: str
    form: Form
    figures: tuple[Figure, ...] = ()
    problem: str = ""
    unmeasured: bool = False  # this machine could not, which is nobody's fault

    @property
    def kept(self) -> bool:
        return not self.problem and all(figure.holds() for figure in self.figures)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read(path: Path) -> Result | None:
    """Return a result that was written, or nothing."""
    return from_json(json.loads(path.read_text())) if path.exists() else None


def from_json(content: Mapping[str, Any]) -> Result:
    figures = tuple(Figure(**one) for one in content["figures"])
    return Result(**{**content, "figures": figures})


def write(path: Path, content: object) -> None:
    """Write whole or not at all: a run may be cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    fresh.replace(path)


def kept_results(path: Path = KEPT) -> dict[str, Result]:
    """Return the results that the page shows, by promise."""
    found = json.loads(path.read_text()) if path.exists() else []
    return {one["name"]: from_json(one) for one in found}


def keep(results: Iterable[Result], path: Path = KEPT, page: Path = PAGE) -> None:
    """Put results on the page; a short run never replaces a full one."""
    shown = kept_results(path)
    for result in results:
        before = shown.get(result.name)
        if result.form == "full" or before is None or before.form == "short":
            shown[result.name] = result
    order = [entry.name for entry in PROMISES if entry.name in shown]
    write(path, [shown[name].as_json() for name in order])
    page.write_text(rendered(shown))


def rendered(results: Mapping[str, Result]) -> str:
    """Return the page."""
    rows = ["| | promise | | form | command |", "| --- | --- | --- | --- | --- |"]
    sections = []
    for entry in PROMISES:
        result = results.get(entry.name)
        rows.append(_row(entry, result))
        if result is not None and result.figures:
            sections.append(_section(entry, result))
    return "\n".join([HEAD, *rows, "", *sections])


def _row(entry: Entry, result: Result | None) -> str:
    if result is None:
        why = entry.later or "no run yet"
        return f"| {entry.name} | {entry.title} | not measured: {why} | | |"
    if result.unmeasured:
        outcome = f"not measured: {result.problem}"
    else:
        outcome = "kept" if result.kept else "**missed**"
        outcome += f": {result.problem}" if result.problem else ""
    short = " SHORT=1" if result.form == "short" else ""
    command = f"`make chaos P={entry.name}{short}`"
    return f"| {entry.name} | {entry.title} | {outcome} | {result.form} | {command} |"


def _section(entry: Entry, result: Result) -> str:
    lines = [f"## {entry.name}: {entry.title}", ""]
    lines += ["| figure | asked | measured | |", "| --- | --- | --- | --- |"]
    lines += [_figure(figure) for figure in result.figures]
    return "\n".join(
        [*lines, *(["", f"Not shown yet: {entry.leaves}."] if entry.leaves else []), ""]
    )


def _figure(figure: Figure) -> str:
    unit = f" {figure.unit}" if figure.unit and not figure.unit.startswith("of ") else ""
    asked = ""
    if figure.at_most is not None:
        exact = figure.at_most in (0, figure.at_least)
        asked = f"{'' if exact else '≤ '}{_number(figure.at_most)}{unit}"
    elif figure.at_least is not None:
        exact = figure.unit.startswith("of ")
        asked = f"{'' if exact else '≥ '}{_number(figure.at_least)}{unit}"
    judged = figure.at_most is not None or figure.at_least is not None
    mark = ("kept" if figure.holds() else "**missed**") if judged else ""
    return f"| {figure.what} | {asked} | {_number(figure.measured)}{unit} | {mark} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}".rstrip("0")
