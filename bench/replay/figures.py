"""What a replay came to: times to the first token, rates of answers, and how many were good."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.replay.engines import Request

# A request is good if its first token comes in time for its prompt, and the others fast enough.
FIRST_S, FIRST_TOKENS_PER_S, TOKEN_S = 2.0, 2_000.0, 0.2
# Of the requests, for a curve; each nine of 99 % has as much room as the first.
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
WARM = 0.1  # share of the requests at the beginning that do not count


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run. Times are seconds.

    goodput: share of good requests. ttft: until the first token, waits included; the curve
    at `SHARES`. normalised: whole time over tokens of the answer. cached: share of prompt
    tokens that were not read. cold: share that a load came before. refused: share that nobody
    served. engines: share of the requests by engine.
    """

    requests: int
    goodput: float
    ttft_p50: float
    ttft_p95: float
    ttft_p99: float
    ttft_curve: tuple[float, ...]
    normalised_p95: float
    whole_mean: float
    waited_p95: float
    cached: float
    cold: float
    refused: float
    engines: tuple[float, ...]

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return plain(asdict(self))


def good(prompt: int, answer: int, first_s: float, writing_s: float) -> bool:
    """Return whether a request was answered well enough.

    first_s: until its first token. writing_s: from there to the last.
    """
    in_time = first_s <= FIRST_S + prompt / FIRST_TOKENS_PER_S
    return in_time and writing_s / max(1, answer - 1) <= TOKEN_S


def figures(requests: Sequence[Request], engines: int) -> Figures:
    """Return what became of requests that all are over. Who was refused is not good."""
    ordered = sorted(requests, key=lambda one: one.at)
    counted = ordered[int(len(ordered) * WARM) :]
    served = [one for one in counted if not one.refused]
    firsts = sorted(one.first - one.at for one in served)
    well = sum(
        good(one.prompt, one.answer, one.first - one.at, one.done - one.first) for one in served
    )
    count = max(1, len(served))
    return Figures(
        requests=len(requests),
        goodput=well / len(counted),
        ttft_p50=at_share(firsts, 0.5),
        ttft_p95=at_share(firsts, 0.95),
        ttft_p99=at_share(firsts, 0.99),
        ttft_curve=tuple(at_share(firsts, share) for share in SHARES),
        normalised_p95=at_share(sorted((one.done - one.at) / one.answer for one in served), 0.95),
        whole_mean=sum(one.done - one.at for one in served) / count,
        waited_p95=at_share(sorted(one.sent - one.at for one in served), 0.95),
        cached=sum(one.cached for one in served) / max(1, sum(one.prompt for one in served)),
        cold=sum(one.cold for one in served) / count,
        refused=1 - len(served) / len(counted),
        engines=tuple(
            sum(one.engine == number for one in served) / count for number in range(engines)
        ),
    )


def at_share(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` of all are; NaN when there are none.

    ordered: ascending.
    """
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else math.nan


def plain(document: Mapping[str, object]) -> dict[str, object]:
    """Return a document as JSON can have it: with None for what was not measured."""

    def known(value: object) -> object:
        if isinstance(value, (tuple, list)):
            return [known(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {name: known(value) for name, value in document.items()}
