"""What GenieHive is asked to reach, and whether it did."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.cases import JSON_1, JSON_64, SSE_256
from bench.figures import ratios, spread
from bench.targets import LITELLM, NGINX, OURS, OURS_2, SGLANG, VLLM
from bench.view import View

TIMES = "\N{MULTIPLICATION SIGN}"
SMALL_FLEET = 1_000  # services, at which a change is to reach gateways at once


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure and its bound. values: of each round; none when it was not measured."""

    what: str
    values: Sequence[float]
    bound: float
    at_most: bool = False  # else at least
    unit: str = TIMES

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the bound; None without values."""
        found = spread(self.values)
        if found is None:
            return None
        return found.median <= self.bound if self.at_most else found.median >= self.bound


def goals(view: View) -> list[Goal]:
    """Return all goals, with what was measured for them."""
    ours, nginx = view.per_core(OURS), view.per_core(NGINX)
    cost, cost_nginx = (view.of(name, JSON_64, "cpu_per_request") for name in (OURS, NGINX))
    event, event_nginx = (view.of(name, SSE_256, "cpu_per_event") for name in (OURS, NGINX))
    added, added_nginx = (view.added(name, JSON_1, "latency", "p50") for name in (OURS, NGINX))
    asked, delivered = (view.of(OURS, SSE_256, name) for name in ("asked", "delivered"))
    changes = [one.changes.p99_ms for one in view.results.fleets if one.services == SMALL_FLEET]
    return [
        Goal("CPU/request, to nginx", ratios(cost, cost_nginx), 1.8, at_most=True),
        Goal("requests/s per core, to nginx", ratios(ours, nginx), 0.55),
        Goal("requests/s per core, to vllm-router", ratios(ours, view.per_core(VLLM)), 1.3),
        Goal("requests/s per core, to sglang-router", ratios(ours, view.per_core(SGLANG)), 1.6),
        Goal("requests/s per core, to LiteLLM", ratios(ours, view.per_core(LITELLM)), 250),
        Goal("CPU/event of 256 streams, to nginx", ratios(event, event_nginx), 1.6, at_most=True),
        Goal("events of 256 streams delivered", ratios(delivered, asked), 1),
        Goal("p50 added, 1 connection, to nginx", ratios(added, added_nginx), 1.5, at_most=True),
        Goal("two workers, to one", two_to_one(view), 1.8),
        Goal("a change to gateways, p99, 1,000 services", changes, 3, at_most=True, unit="ms"),
    ]


def two_to_one(view: View) -> list[float]:
    """Return what two workers on cores of their own would do, one being 1, by CPU per request."""
    one, two = (view.of(name, JSON_64, "cpu_per_request") for name in (OURS, OURS_2))
    return [2 * value for value in ratios(one, two)]
