"""How good the results of a benchmark run are: how often it was right, and how fast."""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

from control.ranking.presets import Benchmark

# Any of these results, 0 to 1, tells how often a run was right.
CORRECTNESS = (
    "quality_score",
    "pass_rate",
    "terminal_accuracy",
    "completion_rate",
    "terminal_tool_completion_rate",
    "tool_success_rate",
)
SPEED, FIRST_TOKEN = "tokens_per_sec", "ttft_ms"


class Outcome(NamedTuple):
    """What counts of the results of a run; None where they do not tell.

    right: 0 to 1. speed: tokens a second. wait: milliseconds to the first token.
    """

    right: float | None = None
    speed: float | None = None
    wait: float | None = None


def outcome(results: Mapping[str, object]) -> Outcome:
    """Return what counts of `results`, which are by name; what is no number from 0 on does not."""
    told = [one for name in CORRECTNESS if (one := _number(results, name)) is not None]
    right = min(max(told), 1.0) if told else None
    return Outcome(right, _number(results, SPEED), _number(results, FIRST_TOKEN))


def quality(seen: Outcome, benchmark: Benchmark) -> float:
    """Return how good a run was, 0 to 1; 0 when its results tell nothing."""
    right, rate, wait = seen
    if right is rate is wait is None:
        return 0.0
    throughput = benchmark.prior if rate is None else min(rate / benchmark.full_speed, 1.0)
    promptness = benchmark.prior if wait is None else benchmark.first_token.worth(wait)
    speed = (throughput + promptness) / 2
    if right is None and benchmark.speed_alone:
        return speed
    correctness = benchmark.prior if right is None else right
    return benchmark.correctness * correctness + benchmark.speed * speed


def _number(results: Mapping[str, object], name: str) -> float | None:
    """Return a result, or None when it is no number from 0 on."""
    value = results.get(name)
    if isinstance(value, (int, float)) and 0 <= value < inf:
        # An integer may be larger than any float.
        return float(min(value, 1e300))
    return None
