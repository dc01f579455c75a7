"""What the state of its services leaves of one route."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.breaker import Breaker, State
from gateway.route import Choice, Route, order

# With fewer services behind a name, only the loss of all of them is more than a few faults.
PANIC_FROM = 5


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What may be asked of a route, until something about one of its services changes.

    pool: of the route, by which a change of it is known. whole: who is that. left: these,
    and in panic those that fail. wide: these, and those that come back. Lists are in order.
    """

    route: Route
    pool: Sequence[Choice]
    whole: Route
    left: Route
    wide: Route
    coming: list[Choice]  # back, with a part of the requests
    resting: list[Choice]
    triable: list[Choice]
    failing: list[Choice]  # out, and quick to say so
    silent: list[Choice]  # out, and whoever asks them waits


def narrowed(route: Route, special: Mapping[str, Breaker], panic: float) -> Narrowed:
    """Return what is left of `route`.

    special: the services that are not whole. panic: the part of them that has to be out, for
    those that fail to be asked like others.
    """
    found = [one for one in map(route.of, special) if one is not None]
    found.sort(key=order)
    back = [one for one in found if _breaker(one).state is State.IN]
    out = [one for one in found if _breaker(one).state is not State.IN]
    coming = [one for one in back if not _breaker(one).rests_now]
    failing = [one for one in out if not _breaker(one).silent]
    aside = ids(found)
    whole = left = route.without(aside) if aside else route
    if len(route.choices) >= PANIC_FROM and len(out) > panic * len(route.choices):
        aside -= ids(failing)
        left = route.without(aside)
    return Narrowed(
        route,
        route.pool,
        whole,
        left,
        wide=route.without(aside - ids(coming)) if coming else left,
        coming=coming,
        resting=[one for one in back if _breaker(one).rests_now],
        triable=[one for one in out if _breaker(one).may_be_tried],
        failing=failing,
        silent=[one for one in out if _breaker(one).silent],
    )


def ids(choices: Iterable[Choice]) -> set[str]:
    """Return the services of `choices`."""
    return {one.upstream.service_id for one in choices}


def _breaker(choice: Choice) -> Breaker:
    return choice.upstream.breaker
