"""Which of the best choices of a route serves the next request: at dispatch, on live load."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import chain, islice

from control.api.completion import Expected, expected, prefill
from control.api.strategies import QueueSteps, Strategy, live_score, waiting
from gateway.load import Need
from gateway.residency import is_absent
from gateway.route import Choice, Route

# Choices that one request looks at. Among more, some that are idle are found as well.
LOOKS = 64
# Workers that take the same service in the same microseconds take another one, but not for ever.
TRIES = 16

Random = Callable[[], float]  # 0 to 1, 1 excluded

USUAL = Need(2_000)  # a request of which nothing is known


def take(route: Route, random: Random, need: Need = USUAL, now: float = 0.0) -> Choice:
    """Return who serves the next request of `route`, and count it as in flight there.

    route: has at least one choice. It takes no turn before the route is told that
    the choice was `asked`. need: what decides how long the request takes. now: seconds of
    the clock.
    """
    pool = route.pool
    if len(pool) == 1:
        choice = pool[0]
    elif route.strategy is Strategy.LEAST_LOADED and pool[0].upstream.shared:
        return _taken_alone(pool, random)
    elif route.strategy is Strategy.EXPECTED_COMPLETION:
        choice = soonest(_looked_at(pool, random), need, now)
    else:
        choice = _PICKS[route.strategy](route, random)
    choice.upstream.in_flight += 1
    return choice


def _taken_alone(pool: Sequence[Choice], random: Random) -> Choice:
    """Take the least loaded of `pool`, unless a sibling takes it at the same time.

    Workers see each other's counts at once, and yet two may look before either counts.
    Whoever counts last finds more there than its own request, and looks again: from
    another place on, or both would meet there, too. So does who was interrupted while it
    looked, and finds a less loaded one now.
    """
    for _ in range(TRIES):
        choice, seen = _least(pool, random)
        choice.upstream.in_flight += 1
        alone = load(choice) <= seen + 1
        if alone and (not seen or _least(pool, random)[1] >= seen):
            return choice
        choice.upstream.in_flight -= 1
        start = int(random() * len(pool))
        pool = [*pool[start:], *pool[:start]]
    choice.upstream.in_flight += 1
    return choice


def load(choice: Choice) -> int:
    """Return the requests under way or waiting at the service of `choice`."""
    upstream = choice.upstream
    return upstream.in_flight + upstream.elsewhere


def least_loaded(pool: Sequence[Choice], random: Random) -> Choice:
    """Return the least loaded of `pool`; ties go to the first.

    Of more than `LOOKS` a window is looked at, so that the cost stays the same.
    """
    return _least(pool, random)[0]


def _least(pool: Sequence[Choice], random: Random) -> tuple[Choice, int]:
    """Return the least loaded of `pool` and its load."""
    found = pool[0]
    least = load(found)
    if not least:
        return found, 0
    for choice in _looked_at(pool, random):
        now = load(choice)
        if now < least:
            found, least = choice, now
            if not now:
                break
    return found, least


def less_loaded_of_two(pool: Sequence[Choice], random: Random) -> Choice:
    """Return the less loaded one of two random ones of `pool`; a tie goes to the first.

    Source: Mitzenmacher, The power of two choices in randomized load balancing, 2001.
    """
    count = len(pool)
    one, other = divmod(int(random() * count * (count - 1)), count - 1)
    other += other >= one
    return min(pool[min(one, other)], pool[max(one, other)], key=load)


def best_scored(pool: Sequence[Choice], steps: QueueSteps, random: Random) -> Choice:
    """Return the best of `pool` by score less what waiting requests cost.

    Of more than `LOOKS` the first are looked at, and a window of the others that may be better.

    pool: best score first. Ties go to the smaller service id.
    """
    found, best = _best(pool[:LOOKS], steps)
    if len(pool) > LOOKS and pool[LOOKS].score > best:
        end = bisect_left(pool, -best, LOOKS, key=_worse)
        start = LOOKS + int(random() * max(end - 2 * LOOKS + 1, 1))
        other, its = _best(pool[start : min(start + LOOKS, end)], steps)
        if its > best:
            return other
    return found


def soonest(pool: Sequence[Choice], need: Need, now: float) -> Choice:
    """Return who of `pool` is expected to finish first, busy or not; ties go to the first.

    now: seconds of the clock.
    """
    found = pool[0]
    least = outlook(found, need, now).cost
    for choice in islice(pool, 1, None):
        cost = outlook(choice, need, now).cost
        if cost < least:
            found, least = choice, cost
    return found


def outlook(choice: Choice, need: Need, now: float) -> Expected:
    """Return what a request is expected to take at a service. now: seconds of the clock."""
    load, rates = choice.upstream, choice.rates
    ahead, slots = load.ahead, load.capacity.slots
    prompt = rates.prompt(need.size)
    return expected(
        prompt,
        prefill(prompt, rates.prefill),
        rates.decode_s(need.most, ahead + 1 if ahead < slots else slots),
        ahead,
        slots,
        load.unread_s,
        rates.load_s if is_absent(choice) else 0.0,
        now - need.since,
    )


def _worse(choice: Choice) -> float:
    return -choice.score


def _best(choices: Sequence[Choice], steps: QueueSteps) -> tuple[Choice, float]:
    """Return the best of `choices` and its live score."""
    found = choices[0]
    best = _live(found, steps)
    for choice in islice(choices, 1, None):
        if choice.score < best:
            break  # and so are all that follow, however idle they are
        now = _live(choice, steps)
        if now > best or (now == best and choice.upstream.service_id < found.upstream.service_id):
            found, best = choice, now
    return found, best


def _live(choice: Choice, steps: QueueSteps) -> float:
    upstream = choice.upstream
    queue = upstream.queue_depth
    in_flight = upstream.in_flight + upstream.elsewhere - queue
    waits = waiting(in_flight, queue, upstream.concurrency)
    return live_score(choice.score, choice.runtime, waits, steps) if waits else choice.score


def _looked_at(pool: Sequence[Choice], random: Random) -> Sequence[Choice]:
    count = len(pool)
    if count <= LOOKS:
        return pool
    start = int(random() * count)
    return tuple(islice(chain(islice(pool, start, None), pool), LOOKS))


_PICKS: dict[Strategy, Callable[[Route, Random], Choice]] = {
    Strategy.LEAST_LOADED: lambda route, random: least_loaded(route.pool, random),
    Strategy.POWER_OF_TWO: lambda route, random: less_loaded_of_two(route.pool, random),
    Strategy.SCORED: lambda route, random: best_scored(route.pool, route.steps, random),
    Strategy.ROUND_ROBIN: lambda route, _: route.next_in_turn(),
}
