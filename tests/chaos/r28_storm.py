"""R28: all nodes come back after a crash of control, spread over time and once each."""

from pathlib import Path

from bench.fleet_figures import Plan
from tests.chaos.fleet import SMALL, measured
from tests.chaos.promise import Figure, Promise, none, seconds, told

BACK_S = 60.0
SPIKE = 2.0  # times the mean
SPIKES_FROM = 1_000  # nodes; among few, chance makes one second fuller than another

LARGE = (Plan(nodes=1_000, changes=20), Plan(nodes=10_000, changes=20, per_channel=10, processes=2))


def run(folder: Path, *, plans: tuple[Plan, ...]) -> list[Figure]:
    """Kill control under each fleet and start it again."""
    return [figure for plan in plans for figure in _figures(plan)]


def _figures(plan: Plan) -> list[Figure]:
    found = measured(plan)["comeback"]
    what = f"{plan.nodes:,} nodes on {plan.nodes // plan.per_channel:,} connections"
    mean = plan.nodes / found["seconds"]
    judged = plan.nodes >= SPIKES_FROM
    return [
        seconds(f"{what}: all registered again", found["seconds"], at_most=BACK_S),
        none(f"{what}: marked down", found["marked_down"]),
        Figure(
            f"{what}: fullest second, to the mean",
            round(found["fullest_second"] / mean, 2),
            at_most=SPIKE if judged else None,
        ),
        told(f"{what}: registrations that were not needed", found["needless"]),
    ]


PROMISE = Promise(run, short={"plans": (SMALL,)}, full={"plans": LARGE})
