"""The part of docs/routing.md that tells what waiting in the gateway is worth on real engines."""

from collections.abc import Iterator
from itertools import combinations
from statistics import mean

from bench import marks
from tests.waiting.measure import PATIENCE_S, SECONDS
from tests.waiting.results import (
    PROMISED_S,
    PROMPTS,
    TOKEN_S,
    Results,
    Run,
    ahead,
    cells,
    pooled,
)

MARK = "waiting on real engines, made by `make waiting`"

PICTURE = "![Time to the first token on real engines](waiting.svg)"

Cells = dict[tuple[float, str, bool], list[Run]]


def filled(page: str, results: Results) -> str:
    """Return `page` with what `results` say between its marks."""
    return marks.filled(page, MARK, told(results))


def told(results: Results) -> str:
    """Return what was measured, how, and whether the simulator says the same."""
    return "\n".join(
        [*_setting(results), "", *_table(results), "", PICTURE, "", *_agreement(results)]
    )


def _setting(results: Results) -> Iterator[str]:
    yield f"Measured on {results.when}; {results.machine}."
    yield (
        f"Requests come for {SECONDS:.0f} s, as a part of the trace does that is stretched to the"
        f" load: {results.mix}, {results.prompt:g} and {results.answer:g} on average."
    )
    yield (
        f"A load of 1 is {results.capacity:.2f} requests a second, what the three answer together"
        f" when they never rest. {PATIENCE_S:.0f} s after the last request came those that are"
        " left are given up."
    )
    yield (
        f"Goodput is the share that got its first token within {PROMISED_S:g} s and"
        f" {PROMPTS:g} times what `{results.fastest.service_id}` takes for the prompt when idle,"
        f" and each further one within {TOKEN_S:g} s."
    )
    yield ""
    yield "| service | slots | prompt tokens/s | answer tokens/s | of each when all slots write |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for one in results.alone:
        yield (
            f"| `{one.service_id}` | {one.slots} | {one.prefill:.0f} | {one.decode:.0f}"
            f" | {one.full_decode:.0f} |"
        )


def _table(results: Results) -> Iterator[str]:
    yield (
        "| load | strategy | waits in | first token p50 | p95 | p99 | goodput | waited p95"
        " | simulated p95 | simulated goodput |"
    )
    yield "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    predicted = cells(results.predicted)
    for (load, strategy, room), runs in cells(results.runs).items():
        simulated = predicted[load, strategy, room]
        goods = [one.goodput for one in runs]
        waited = sorted(waited for one in runs for waited in one.waited_s)
        yield (
            f"| {load:g} | `{strategy}` | {_place(room)} | {pooled(runs, 0.5):.2f} s"
            f" | {pooled(runs, 0.95):.2f} s | {pooled(runs, 0.99):.2f} s"
            f" | {mean(goods):.2f} ({min(goods):.2f}–{max(goods):.2f})"  # noqa: RUF001
            f" | {waited[int(0.95 * len(waited))]:.2f} s"
            f" | {pooled(simulated, 0.95):.2f} s"
            f" | {mean(one.goodput for one in simulated):.2f} |"
        )


def _agreement(results: Results) -> Iterator[str]:
    """Tell how many pairs that differ in each round differ in the same way in simulation."""
    measured, predicted = cells(results.runs), cells(results.predicted)
    wrong: list[str] = []
    compared = 0
    for one, other in combinations(measured, 2):
        if one[0] != other[0]:
            continue
        if ahead(measured[other], measured[one]):
            one, other = other, one
        if not ahead(measured[one], measured[other]):
            continue
        compared += 1
        if pooled(predicted[one], 0.95) > pooled(predicted[other], 0.95):
            wrong.append(
                f"- load {one[0]:g}: {_named(one)} was ahead of {_named(other)},"
                f" {_p95(measured, one, other)}; simulated {_p95(predicted, one, other)}"
            )
    yield (
        f"**Does the simulator predict the order?** Of {compared} pairs of the same load of which"
        " one had the smaller p95 in every round, and a tenth less over all,"
        f" it orders {compared - len(wrong)} alike." + (" Not these:" if wrong else "")
    )
    if wrong:
        yield ""
        yield from wrong


def _p95(found: Cells, *keys: tuple[float, str, bool]) -> str:
    return " and ".join(f"{pooled(found[key], 0.95):.2f} s" for key in keys)


def _named(key: tuple[float, str, bool]) -> str:
    return f"`{key[1]}` ({_place(key[2])})"


def _place(room: bool) -> str:
    return "gateway" if room else "engines"
