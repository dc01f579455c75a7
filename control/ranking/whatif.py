"""By how much the first candidate leads, and what single change would send requests elsewhere."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from control.api.strategies import QueueSteps, Strategy
from control.ranking.candidates import Candidate
from control.ranking.picking import IDLE, Load, live, picked, resident

# Strategies that send the next request to one service, and no other.
DECIDED = frozenset({Strategy.SCORED, Strategy.LEAST_LOADED, Strategy.EXPECTED_COMPLETION})
MOST_MORE = 1_000  # requests at one service: with more of them nobody asks what would be


@dataclass(frozen=True, slots=True)
class Lead:
    """How far the service that is picked is from the next one of its tier.

    by: what `scored` sees, 0 to 1; how much less a usual request costs there, as
    `expected_completion` compares it; or how many requests fewer it has.
    """

    service_id: str
    over: str
    by: float


def lead(
    strategy: Strategy,
    candidates: Sequence[Candidate],
    loads: Mapping[str, Load],
    steps: QueueSteps,
) -> Lead | None:
    """Return the lead of the one that is picked; None without a second, or when any may be.

    So it is, too, where it is the only one that is free.
    """
    if strategy not in DECIDED or not candidates:
        return None
    (first,) = picked(strategy, candidates, loads, steps)
    there = resident(strategy, candidates, loads)
    others = [one for one in there if one.tier == first.tier and one is not first]
    if not others:
        return None
    (second,) = picked(strategy, others, loads, steps)

    def load(one: Candidate) -> Load:
        return loads.get(one.service_id, IDLE)

    if strategy is Strategy.EXPECTED_COMPLETION:
        by = load(second).expected(second).cost - load(first).expected(first).cost
    elif load(first).free and not load(second).free:
        return None
    elif strategy is Strategy.SCORED:
        by = live(first, load(first), steps) - live(second, load(second), steps)
    else:
        by = load(second).total - load(first).total
    return Lead(first.service_id, second.service_id, round(by, 4))


def would_change(
    strategy: Strategy,
    candidates: Sequence[Candidate],
    loads: Mapping[str, Load],
    steps: QueueSteps,
    unloaded: Candidate | None,
) -> tuple[str, ...]:
    """Return in words what would each send the next request to another service.

    unloaded: what would become of the one that is picked if its asset left the memory;
    None when it would serve no more, or is not in memory.
    """
    if strategy not in DECIDED or len(candidates) < 2:
        return ()
    (first,) = picked(strategy, candidates, loads, steps)
    load = loads.get(first.service_id, IDLE)
    others = [one for one in candidates if one is not first]

    def moves(changed: Candidate | None, load: Load) -> bool:
        rivals = [*others, changed] if changed else others
        (then,) = picked(strategy, rivals, {**loads, first.service_id: load}, steps)
        return then.service_id != first.service_id

    scored = strategy is Strategy.SCORED
    words = []
    left = replace(load, loaded_assets=max(load.loaded_assets - 1, 0))
    if first.loaded and moves(unloaded, left):
        cost = f" ({unloaded.score - first.score:+.2f})" if unloaded and scored else ""
        words.append(f"{first.asset_id} unloaded{cost}")
    if scored:
        for depth, _ in steps:
            queued = replace(load, queue_depth=depth)
            if depth > load.waits and moves(first, queued):
                change = live(first, queued, steps) - live(first, load, steps)
                words.append(f"its queue >= {depth} ({change:+.2f})")
                break
        return tuple(words)
    at_least = 1 + bisect_left(
        range(1, MOST_MORE + 1),
        True,
        key=lambda more: moves(first, replace(load, in_flight=load.in_flight + more)),
    )
    if at_least <= MOST_MORE:
        more = "1 more request" if at_least == 1 else f"{at_least} more requests"
        words.append(f"{more} at {first.service_id}")
    return tuple(words)
