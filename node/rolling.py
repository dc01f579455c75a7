"""How fast a server was over the recent past, from what it counted since its start."""

from dataclasses import dataclass

from node.engines.sight import Counters


@dataclass(frozen=True, slots=True)
class Rates:
    """Over the recent past; None where nothing is known. Times in seconds."""

    tokens_per_second: float | None = None  # generated, of one answer
    prompt_tokens_per_second: float | None = None
    latency_p50: float | None = None  # of whole answers
    latency_p95: float | None = None
    first_token_p50: float | None = None
    first_token_p95: float | None = None


UNMEASURED = Rates()


class Rolling:
    """What one server counted lately."""

    def take(self, counters: Counters | None, now: float) -> Rates:
        """Return the rates up to `now`, seconds of a clock. counters: None when it told none."""
        raise NotImplementedError
