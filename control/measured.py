"""What gateways measured of a service: counts that add up, and what they tell. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from control.api.latency import quantile

# By measure, each 0 or more. Also how they are stored: names are never changed, only added.
Counts = Counter[str]

SHOWN_DAYS = 2  # today and yesterday, UTC
DAY_S = 86_400
MAX_SHOWN = 20_000  # services a day; above that they are stored, and not shown
MAX_TOLD = 2**63 - 1  # of one count; what the contract carries

ANSWERED = "answered"
ABANDONED = "abandoned"
PROMPT_TOKENS = "prompt_tokens"
COMPLETION_TOKENS = "completion_tokens"
DECODED_TOKENS = "decoded_tokens"
DECODE_US = "decode_us"
ERROR = "error/"  # before the code of an error
FIRST_BYTE = "first_byte/"  # before a bucket of `control.api.latency`


@dataclass(frozen=True, slots=True)
class Measured:
    """What counts tell; latencies in seconds, None when nothing tells them."""

    requests: int  # that came to their end: answered, failed, or left by their client
    abandoned: int
    errors: Mapping[str, int] = field(default_factory=dict)  # by code
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_byte_p50: float | None = None
    first_byte_p95: float | None = None
    tokens_per_second: float | None = None


def shown_days(wall_time: float) -> range:
    """Return the days that are shown at a time. Both since 1970, the time in seconds."""
    today = int(wall_time // DAY_S)
    return range(today - SHOWN_DAYS + 1, today + 1)


def measured(counts: Counts) -> Measured:
    """Return what `counts` tell."""
    errors = {
        measure.removeprefix(ERROR): min(count, MAX_TOLD)
        for measure, count in counts.items()
        if measure.startswith(ERROR)
    }
    first_bytes = {
        int(measure.removeprefix(FIRST_BYTE)): count
        for measure, count in counts.items()
        if measure.startswith(FIRST_BYTE)
    }
    spent_us = counts[DECODE_US]
    return Measured(
        requests=min(counts[ANSWERED] + counts[ABANDONED] + sum(errors.values()), MAX_TOLD),
        abandoned=min(counts[ABANDONED], MAX_TOLD),
        errors=errors,
        prompt_tokens=min(counts[PROMPT_TOKENS], MAX_TOLD),
        completion_tokens=min(counts[COMPLETION_TOKENS], MAX_TOLD),
        first_byte_p50=quantile(first_bytes, 0.5),
        first_byte_p95=quantile(first_bytes, 0.95),
        tokens_per_second=counts[DECODED_TOKENS] * 1e6 / spent_us if spent_us else None,
    )
