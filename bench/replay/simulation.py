"""Runs of traces in simulated time: every fleet, load and way to decide, some times each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.replay.engines import FLEETS
from bench.replay.figures import SHARES, Figures, figures
from bench.replay.ours import Ours
from bench.replay.published import POLICIES
from bench.replay.trace import Entry
from bench.replay.workload import workload
from bench.replay.world import AGE_S, Made, World

COUNT = 2_500  # requests of a run
SEEDS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run. ours: by name, peers: names of published policies. age_s: of news."""

    traces: Mapping[str, Sequence[Entry]]
    fleets: Sequence[str]
    loads: Sequence[float]
    ours: Mapping[str, Ours]
    peers: Sequence[str] = ()
    count: int = COUNT
    seeds: int = SEEDS
    gateways: int = 2
    age_s: float = AGE_S

    @property
    def size(self) -> int:
        """How many runs it has."""
        cases = len(self.traces) * len(self.fleets) * len(self.loads)
        return cases * (len(self.ours) + len(self.peers)) * self.seeds


@dataclass(frozen=True, slots=True)
class Row:
    """What one way to decide came to in one case. runs: one for each seed."""

    trace: str
    fleet: str
    load: float
    name: str
    runs: tuple[Figures, ...]

    def median(self, figure: str) -> float:
        """Return a figure of `Figures` in the middle of the runs."""
        return float(median(getattr(one, figure) for one in self.runs))

    @property
    def curve(self) -> Sequence[float]:
        """The middle of each point of `Figures.ttft_curve`."""
        return [median(one.ttft_curve[point] for one in self.runs) for point in range(len(SHARES))]

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "trace": self.trace,
            "fleet": self.fleet,
            "load": self.load,
            "name": self.name,
            "runs": [one.document() for one in self.runs],
        }


def simulate(plan: Plan, tell: Callable[[int, str], None]) -> Iterator[Row]:
    """Yield what all ways of a plan come to, case by case.

    tell: called before each run with how many are done, and what is next.
    """
    ways: dict[str, Made] = {name: ours.gateway for name, ours in plan.ours.items()}
    ways |= {name: POLICIES[name] for name in plan.peers}
    done = 0
    for trace, entries in plan.traces.items():
        for fleet in plan.fleets:
            for load in plan.loads:
                for name, made in ways.items():
                    runs = []
                    for seed in range(plan.seeds):
                        tell(done, f"{trace} {fleet} {load:g} {name}")
                        requests = workload(
                            entries, FLEETS[fleet], load, plan.count, seed, plan.gateways
                        )
                        World(FLEETS[fleet], requests, made, plan.gateways, plan.age_s, seed).run()
                        runs.append(figures(requests, len(FLEETS[fleet])))
                        done += 1
                    yield Row(trace, fleet, load, name, tuple(runs))
