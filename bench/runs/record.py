"""What one request came to."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """One request of a run. Times are milliseconds from its sending; None: nothing of the kind.

    service_id, asset_id: who answered; empty when nobody told. failure: empty when there is
    a whole answer, else what went wrong, in one word. fault: the rule that it does not pass.
    gaps_ms: between two events with output. counted: tokens are events, as nothing told them.
    """

    target: str
    workload: str
    case: str
    repeat: int
    service_id: str = ""
    asset_id: str = ""
    failure: str = ""
    fault: str = ""
    latency_ms: float = 0.0
    first_byte_ms: float | None = None
    ttft_ms: float | None = None
    gaps_ms: tuple[float, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    decoded_tokens: int | None = None
    counted: bool = False

    @property
    def answered(self) -> bool:
        """Whether there is a whole answer."""
        return not self.failure

    @property
    def passed(self) -> bool:
        """Whether the answer is as the workload expects it."""
        return self.answered and not self.fault

    @property
    def inter_token_ms(self) -> float | None:
        """The median time between two events with output."""
        return statistics.median(self.gaps_ms) if self.gaps_ms else None

    @property
    def tokens_per_sec(self) -> float | None:
        """Tokens after the first one, by the time from the first to the last."""
        span = sum(self.gaps_ms)
        if not self.decoded_tokens or self.decoded_tokens < 2 or span <= 0:
            return None
        return (self.decoded_tokens - 1) / span * 1_000

    def document(self) -> dict[str, object]:
        """Return it for programs: times and counts, and nothing of what was said."""
        return {
            "target": self.target,
            "workload": self.workload,
            "case": self.case,
            "repeat": self.repeat,
            "service_id": self.service_id or None,
            "asset_id": self.asset_id or None,
            "failure": self.failure or None,
            "passed": self.passed,
            "fault": self.fault or None,
            "latency_ms": rounded(self.latency_ms),
            "first_byte_ms": rounded(self.first_byte_ms),
            "ttft_ms": rounded(self.ttft_ms),
            "inter_token_ms": rounded(self.inter_token_ms),
            "tokens_per_sec": rounded(self.tokens_per_sec),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
        }


def rounded(value: float | None) -> float | None:
    """Return a figure with as many digits as a file needs."""
    return None if value is None else round(value, 3)
