"""Which of the best choices of a route serves the next request: at dispatch, on live load."""

from collections.abc import Callable, Sequence
from itertools import chain, islice

from control.api.strategies import QueueSteps, Strategy, live_score, waiting
from gateway.route import Choice, Route

# Choices that one request looks at. Among more, some that are idle are found as well.
LOOKS = 64

Random = Callable[[], float]  # 0 to 1, 1 excluded


def pick(route: Route, random: Random) -> Choice:
    """Return who serves the next request of `route`, which has at least one choice."""
    pool = route.pool
    return pool[0] if len(pool) == 1 else _PICKS[route.strategy](route, random)


def load(choice: Choice) -> int:
    """Return the requests under way or waiting at the service of `choice`."""
    upstream = choice.upstream
    return upstream.in_flight + upstream.elsewhere


def least_loaded(pool: Sequence[Choice], random: Random) -> Choice:
    """Return the least loaded of `pool`; ties go to the first.

    Of more than `LOOKS` a window is looked at, so that the cost stays the same.
    """
    found = pool[0]
    least = load(found)
    if not least:
        return found
    for choice in _looked_at(pool, random):
        now = load(choice)
        if now < least:
            found, least = choice, now
            if not now:
                break
    return found


def less_loaded_of_two(pool: Sequence[Choice], random: Random) -> Choice:
    """Return the less loaded one of two random ones of `pool`; a tie goes to the first.

    Source: Mitzenmacher, The power of two choices in randomized load balancing, 2001.
    """
    count = len(pool)
    one, other = divmod(int(random() * count * (count - 1)), count - 1)
    other += other >= one
    return min(pool[min(one, other)], pool[max(one, other)], key=load)


def best_scored(pool: Sequence[Choice], steps: QueueSteps) -> Choice:
    """Return the best of `pool` by score less what waiting requests cost.

    pool: best score first. Ties go to the smaller service id.
    """
    found = pool[0]
    best = _live(found, steps)
    for choice in islice(pool, 1, LOOKS):
        if choice.score < best:
            break  # and so are all that follow, however idle they are
        now = _live(choice, steps)
        if now > best or (now == best and choice.upstream.service_id < found.upstream.service_id):
            found, best = choice, now
    return found


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
    Strategy.SCORED: lambda route, _: best_scored(route.pool, route.steps),
    Strategy.ROUND_ROBIN: lambda route, _: route.next_in_turn(),
}
