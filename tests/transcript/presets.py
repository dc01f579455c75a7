"""What counts how much in a score, as a table of the page."""

from collections.abc import Iterator
from dataclasses import fields
from math import inf, nextafter

from control.ranking.presets import PRESETS, Bands, Queue, Scoring, Weights


def table() -> str:
    """Return a row for each part of a score, with a column for each preset."""
    columns = [dict(_parts(scoring)) for scoring in PRESETS.values()]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    head = [["", *(f"`{name}`" for name in PRESETS)], ["---"] * (len(PRESETS) + 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in head + rows)


def _parts(scoring: Scoring) -> Iterator[tuple[str, str]]:
    runtime, benchmark = scoring.runtime, scoring.benchmark
    yield "**for a role**", _weights(scoring.role)
    yield "**by its own name**", _weights(scoring.service)
    yield "runtime: in memory", f"+{runtime.loaded:g}"
    yield "runtime: ms to the first byte", _within(runtime.latency)
    yield "runtime: tokens a second", _from(runtime.throughput)
    yield "runtime: requests that wait", _queue(runtime.queue)
    yield "runtime: its owner is busy", f"-{runtime.busy:g}"
    yield "benchmark", f"overlap {benchmark.overlap:g}, quality {benchmark.quality:g}"
    yield (
        "quality of a sample",
        f"correctness {benchmark.correctness:g}, speed {benchmark.speed:g}"
        + (", speed alone where nothing tells correctness" if benchmark.speed_alone else ""),
    )
    yield "what a sample does not tell", f"{benchmark.prior:g}"
    yield "ms to the first token", _within(benchmark.first_token)
    yield "full speed", f"{benchmark.full_speed:g} tokens a second"
    half_life = benchmark.half_life
    yield "a sample counts half", "never" if half_life == inf else f"after {half_life / 86_400:g} d"
    yield "of several samples of a workload", f"the {benchmark.runs} counts"


def _weights(weights: Weights) -> str:
    shares = ((one.name, getattr(weights, one.name)) for one in fields(weights))
    return ", ".join(f"{name} {share:g}" for name, share in shares if share)


def _within(bands: Bands) -> str:
    *values, beyond = bands.values
    told = [f"{_edge(edge)}: {value:g}" for edge, value in zip(bands.edges, values, strict=True)]
    return ", ".join([*told, f"slower: {beyond:g}"])


def _edge(edge: float) -> str:
    above = nextafter(edge, inf)
    return f"< {above:g}" if above.is_integer() else f"≤ {edge:g}"


def _from(bands: Bands) -> str:
    edges = (nextafter(edge, inf) for edge in bands.edges)
    return ", ".join(
        f"≥ {edge:g}: +{value:g}" for edge, value in zip(edges, bands.values[1:], strict=True)
    )


def _queue(queue: Queue) -> str:
    return ", ".join(f"≥ {depth}: -{cost:g}" for depth, cost in queue)
