"""How soon those who wait are served, as far as services are known. Pure.

Of many services the first tell of the others.
"""

from collections.abc import Sequence

from gateway.balance import LOOKS, USUAL
from gateway.load import Need
from gateway.route import Choice

# So much sooner than is guessed where nothing was measured somebody may be served.
_GUESS = 10.0


def work_s(choices: Sequence[Choice], need: Need) -> float:
    """Return the seconds that a request is worth to those who wait beside it, 1 where unknown.

    That is what the best engine needs for it, when all its slots are in use.
    """
    return min((_alone(one, need) for one in choices[:LOOKS]), default=1.0)


def wait_s(choices: Sequence[Choice], need: Need, work: float, before: float) -> float:
    """Return in how many seconds one of `choices` is expected to be free for a request.

    work: what the request is worth. before: what those are that go before it.
    """
    # What is served now is as long as others are, or as this is: nobody waits the longer for an
    # answer of its own that takes long.
    before += min(work, work_s(choices, USUAL))
    return before / (work * served_a_second(choices, need))


def least_s(choices: Sequence[Choice], seconds: float) -> float:
    """Return how long to wait is certain, of so many seconds that are expected."""
    known = any(one.rates.reads or one.rates.writes for one in choices[:LOOKS])
    return seconds if known else seconds / _GUESS


def served_a_second(choices: Sequence[Choice], need: Need) -> float:
    """Return how many requests such as this services finish in a second, all busy; above 0."""
    looked_at = choices[:LOOKS]
    alone = {one.upstream.service_id: _alone(one, need) for one in looked_at}
    found = sum(1 / seconds for seconds in alone.values())
    return found * len(choices) / len(looked_at) if found else 1.0


def _alone(choice: Choice, need: Need) -> float:
    rates, slots = choice.rates, choice.upstream.capacity.slots
    return rates.prefill_s(need.size) + rates.decode_s(need.most, slots) / slots
