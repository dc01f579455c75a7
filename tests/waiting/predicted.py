"""What the simulator says of the same arrivals at services of the same speeds."""

from collections import Counter
from collections.abc import Sequence

from bench.replay.engines import Request, Spec
from bench.replay.ours import Ours
from bench.replay.world import World
from control.api.strategies import Strategy
from tests.waiting.arrivals import Arrival
from tests.waiting.measure import PATIENCE_S, SECONDS
from tests.waiting.results import Case, Results, Run, rounded


def predicted(case: Case, asked: Sequence[Arrival], results: Results) -> Run:
    """Return what a run comes to in simulation, with our own gateway in it."""
    fleet = [
        Spec(one.service_id, one.slots, one.prefill, one.decode, one.drag, cache=0)
        for one in results.alone
    ]
    requests = [
        Request(number, one.at, one.prompt, one.answer, (), session=-1 - number)
        for number, one in enumerate(asked)
    ]
    ours = Ours(Strategy(case.strategy), case.room)
    World(fleet, requests, ours.gateway, gateways=1, seed=case.round).run()
    end = SECONDS + PATIENCE_S  # when those that were not answered are given up
    whole = [one for one in requests if not one.refused and one.done <= end]
    return Run(
        case,
        [rounded(min(one.first if one.first else end, end) - one.at) for one in requests],
        [rounded(one.sent - one.at) for one in whole],
        sum(
            results.is_good(
                one.prompt, one.first - one.at, (one.done - one.first) / max(1, one.answer - 1)
            )
            for one in whole
        ),
        len(requests) - len(whole),
        dict(Counter(fleet[one.engine].name for one in whole)),
    )
