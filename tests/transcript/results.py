"""What a run found, kept as JSON, and the parts of the page that are made of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import marks
from tests.transcript import presets
from tests.transcript.pair import HOSTS, SHARE
from tests.transcript.runs import Answer, Load

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEPT, PAGE = DOCS / "routing.json", DOCS / "routing.md"

Answers = Mapping[str, Sequence[Answer]]  # by strategy


@dataclass(frozen=True, slots=True)
class Results:
    """One whole run.

    before: who answered `scored` before anything was measured. scores: after that.
    unequal, equal: loads, in the order of their rounds.
    """

    when: str
    machine: str
    before: str
    scores: Mapping[str, float]
    one_by_one: Answers
    at_once: Answers
    unequal: Sequence[Load]
    equal: Sequence[Load]

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


def read(path: Path = KEPT) -> Results:
    """Return the results that the page shows."""
    found: dict[str, Any] = json.loads(path.read_text())
    for name in ("one_by_one", "at_once"):
        found[name] = {
            strategy: tuple(Answer(**one) for one in answers)
            for strategy, answers in found[name].items()
        }
    for name in ("unequal", "equal"):
        found[name] = tuple(Load(**one) for one in found[name])
    return Results(**found)


def filled(page: str, results: Results) -> str:
    """Return `page` with what `results` say between its marks."""
    page = _replaced(page, "presets", presets.table())
    page = _replaced(page, "who answered", _transcript(results))
    return _replaced(page, "under load", _loads(results))


def _replaced(page: str, mark: str, text: str) -> str:
    return marks.filled(page, f"{mark}, made by `make routing`", text)


def _transcript(results: Results) -> str:
    scores = ", ".join(f"`{host}` {results.scores[service]:.3f}" for host, service in HOSTS.items())
    return "\n".join(
        [
            f"Measured on {results.when}; {results.machine}.",
            f"Before anything was measured the two were equal, and `{_host(results.before)}`, the"
            f" smaller id, answered; then they scored {scores}.",
            "",
            "```text",
            "each request when the one before it was answered; seconds until its end",
            *_lines(results.one_by_one),
            "",
            "all together, in the order in which they ended",
            *_lines(results.at_once),
            "```",
        ]
    )


def _lines(answers: Answers) -> Iterable[str]:
    for strategy, given in answers.items():
        cells = (f"{_host(one.service):>5} {one.whole_s:.2f}" for one in given)
        yield f"{strategy:<12}{' '.join(cells)}"


def _loads(results: Results) -> str:
    rows = [
        "| the two are | clients | strategy | all after | first byte p50 | p95 | by `desk` |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
        *_rows(f"{1 / SHARE:g} : 1", results.unequal),
        *_rows("equal", results.equal),
    ]
    return "\n".join(rows)


def _rows(pair: str, loads: Sequence[Load]) -> Iterable[str]:
    cases: dict[tuple[int, str], list[Load]] = {}
    for one in loads:
        cases.setdefault((one.clients, one.strategy), []).append(one)
    for (clients, strategy), rounds in cases.items():
        yield (
            f"| {pair} | {clients} | `{strategy}`"
            f" | {_over((one.total_s for one in rounds), digits=1)} s"
            f" | {_over((one.first_p50_s for one in rounds), digits=2)} s"
            f" | {_over((one.first_p95_s for one in rounds), digits=2)} s"
            f" | {median(one.by_fast for one in rounds):.0f} |"
        )


def _over(rounds: Iterable[float], digits: int) -> str:
    """Return the median, and the least and the greatest."""
    least, *_, most = found = sorted(rounds)
    return f"{median(found):.{digits}f} ({least:.{digits}f}–{most:.{digits}f})"  # noqa: RUF001


def _host(service_id: str) -> str:
    return service_id.partition("/")[0]
