"""The figures of a comparison as tables want them: by round, and what follows from several."""

from dataclasses import dataclass

from bench.cases import JSON_64, Case
from bench.figures import differences, spread
from bench.results import Results
from bench.targets import DIRECT


@dataclass(frozen=True, slots=True)
class View:
    """Reads `results`. Every figure comes by the number of its round."""

    results: Results

    def of(self, target: str, case: Case, name: str) -> dict[int, float]:
        return self.results.figures(target, case.name, name)

    def latency(self, target: str, case: Case, name: str, share: str) -> dict[int, float]:
        found = self.results.summaries(target, case.name, name)
        return {number: summary[share] for number, summary in found.items()}

    def added(self, target: str, case: Case, name: str, share: str) -> dict[int, float]:
        """Return microseconds on top of those without anything in between."""
        here, bare = (self.latency(one, case, name, share) for one in (target, DIRECT))
        return differences(here, bare)

    def per_core(self, target: str) -> dict[int, float]:
        """Return the requests a second of a whole core."""
        cost = self.of(target, JSON_64, "cpu_per_request")
        return {number: 1e6 / value for number, value in cost.items()}

    def names(self, case: Case, name: str) -> list[str]:
        """Return the targets that were measured at `case`, the least `name` first."""
        found = {row.target for row in self.results.rows if row.case == case.name}
        middle = {one: spread(list(self.of(one, case, name).values())) for one in found}
        return sorted(found, key=lambda one: m.median if (m := middle[one]) else float("inf"))
