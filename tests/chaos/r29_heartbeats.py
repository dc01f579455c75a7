"""R29: what heartbeats cost does not grow with the fleet."""

from pathlib import Path

from bench.fleet_figures import Plan
from tests.chaos.fleet import SMALL, measured
from tests.chaos.promise import Figure, Promise

CAP = 500.0  # beats a second, the default of control
TOLERANCE = 1.02  # of a count over seconds
TRANSACTIONS = 1.0  # a second, for liveness
CORES = 0.6

LARGE = tuple(
    Plan(nodes=nodes, changes=0, seconds=30.0, per_channel=per_channel, processes=processes)
    for nodes, per_channel, processes in (
        (100, 1, 1),
        (1_000, 1, 1),
        (5_000, 10, 1),
        (10_000, 10, 2),
    )
)


def run(folder: Path, *, plans: tuple[Plan, ...]) -> list[Figure]:
    """Let fleets of several sizes beat, and look at control."""
    return [figure for plan in plans for figure in _figures(plan)]


def _figures(plan: Plan) -> list[Figure]:
    found = measured(plan)["steady"]
    what = f"{plan.nodes:,} nodes"
    return [
        Figure(
            f"{what}: heartbeats",
            round(found["beats_per_second"], 1),
            "/s",
            at_most=CAP * TOLERANCE,
        ),
        Figure(
            f"{what}: transactions",
            round(found["transactions_per_second"], 2),
            "/s",
            at_most=TRANSACTIONS + 1 / plan.seconds,  # one more may fall into the time
            timed=True,
        ),
        Figure(
            f"{what}: control", round(found["cpu_share"], 3), "cores", at_most=CORES, timed=True
        ),
    ]


PROMISE = Promise(run, short={"plans": (SMALL,)}, full={"plans": LARGE})
