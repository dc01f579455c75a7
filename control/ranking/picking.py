"""Which of several candidates gateways send the next request to, as far as can be told ahead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from control.api.completion import Expected, expected, prefill
from control.api.strategies import QueueSteps, Strategy, live_score, waiting
from control.ranking.candidates import Candidate
from control.ranking.speed import UNMEASURED, Speed, slower

PROMPT = 500.0  # tokens of a usual request; gateways look at those that they have
# As in gateways: seconds of prompts that are not read yet with which a service takes no more,
# slots that no engine has more of, and what is believed where nothing is known.
GATE_S, MOST_SLOTS = 0.5, 1_024
PREFILL, DECODE, ANSWER, LOAD_S, SLOTS = 1_000.0, 40.0, 200.0, 10.0, 8
UNKNOWN: Mapping[str, Speed] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a service is. concurrency: what it serves at the same time, 0 when unknown.

    pending_s: seconds of prompts that are not read yet. gated: whether requests wait in gateways
    until it is free; waiting: who does now. speeds: how fast it is believed to be, by asset,
    where anything is known. loaded_assets: models in its memory.
    """

    in_flight: int = 0
    queue_depth: int = 0
    concurrency: int = 0
    pending_s: float = 0.0
    gated: bool = False
    speeds: Mapping[str, Speed] = field(default_factory=lambda: UNKNOWN)
    waiting: int = 0
    loaded_assets: int = 0

    @property
    def waits(self) -> int:
        """Requests that wait there."""
        return waiting(self.in_flight, self.queue_depth, self.concurrency)

    @property
    def total(self) -> int:
        """Requests under way and waiting, as strategies that balance compare them."""
        return self.in_flight + self.queue_depth

    @property
    def slots(self) -> int:
        """Requests that it is believed to serve at the same time."""
        learned = max((one.slots or 0 for one in self.speeds.values()), default=0)
        told = self.concurrency if self.concurrency <= MOST_SLOTS else 0
        return told or learned or SLOTS

    @property
    def free(self) -> bool:
        """Whether gateways send it one more request; what waits inside alone stops nobody."""
        places = self.total < self.slots or not self.in_flight
        return not self.gated or (places and self.pending_s <= GATE_S)

    def expected(self, candidate: Candidate) -> Expected:
        """Return what a usual request would take there with the candidate's asset."""
        speed = self.speeds.get(candidate.asset_id, UNMEASURED)
        # Who waits for it goes first.
        ahead, slots = self.total + self.waiting, self.slots
        beside = min(ahead + 1, slots)
        rate = speed.decode_at(beside) or DECODE / slower(beside)
        load_s = LOAD_S if speed.load_s is None else speed.load_s
        return expected(
            PROMPT,
            prefill(PROMPT, speed.prefill or PREFILL),
            (ANSWER if speed.answer is None else speed.answer) / rate,
            ahead,
            slots,
            self.pending_s,
            load_s if candidate.absent else 0.0,
        )


IDLE = Load()


def live(candidate: Candidate, load: Load, steps: QueueSteps) -> float:
    """Return the score of a candidate less what the requests that wait there cost it."""
    return live_score(candidate.score, candidate.runtime, load.waits, steps)


def resident(
    strategy: Strategy, candidates: Sequence[Candidate], loads: Mapping[str, Load]
) -> list[Candidate]:
    """Return those that load nothing which others have in memory.

    Where it is reckoned what a load takes, they may, if it takes the place of nothing.
    """
    reckoned = strategy is Strategy.EXPECTED_COMPLETION
    held = {candidate.asset_id for candidate in candidates if not candidate.absent}
    return [
        one
        for one in candidates
        if one.asset_id not in held
        or not one.absent
        or (reckoned and not loads.get(one.service_id, IDLE).loaded_assets)
    ]


def _ready(candidate: Candidate, load: Load) -> bool:
    return not (candidate.absent and load.loaded_assets and load.total)


def picked(
    strategy: Strategy,
    candidates: Sequence[Candidate],
    loads: Mapping[str, Load],
    steps: QueueSteps,
) -> list[Candidate]:
    """Return those that the next request can go to, the likeliest first: one of the best tier.

    It can go to several where turns or chance decide; of very many, gateways look at some.
    Where nobody of them is free it waits, for the first of them that is.
    loads: by service; who is missing is idle. steps: what requests that wait cost a score.
    """
    if not candidates:
        return []
    there = resident(strategy, candidates, loads)
    tier = min(candidate.tier for candidate in there)
    equals = [candidate for candidate in there if candidate.tier == tier]
    if strategy is not Strategy.EXPECTED_COMPLETION:
        # Who serves others with another model loads nothing before it is done.
        equals = [one for one in equals if _ready(one, loads.get(one.service_id, IDLE))] or equals

    def load(candidate: Candidate) -> Load:
        return loads.get(candidate.service_id, IDLE)

    if strategy is Strategy.EXPECTED_COMPLETION:

        def cost(one: Candidate) -> tuple[float, float, str]:
            return load(one).expected(one).cost, -one.score, one.service_id

        return [min(equals, key=cost)]  # busy or not: it may be worth to wait
    equals = [candidate for candidate in equals if load(candidate).free] or equals
    if strategy is Strategy.SCORED:
        return [min(equals, key=lambda one: (-live(one, load(one), steps), one.service_id))]
    equals.sort(key=lambda one: (load(one).total, -one.score, one.service_id))
    if strategy is Strategy.LEAST_LOADED:
        return equals[:1]
    if strategy is Strategy.POWER_OF_TWO:
        # Of two different ones the last is never the less loaded.
        return equals[: max(len(equals) - 1, 1)]
    return equals
