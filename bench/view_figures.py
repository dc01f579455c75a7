"""What a cluster that is looked at is to be like, and what was measured with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.fleet_figures import Plan
from bench.front import Requests
from bench.pulse import Times


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """The fleet, its roles, and who looks at them."""

    nodes: int = 1_000
    roles: int = 20
    seconds: float = 10.0  # of requests that are measured, quiet and while others look
    rate: float = 200.0  # requests a second
    looks_per_second: float = 4.0  # of each view
    junk: int = 10_000  # names that nobody serves, asked for once each
    interval: float = 5.0  # seconds between beats, at least
    grace: float = 5.0  # seconds that control waits for hosts when it starts

    @property
    def fleet(self) -> Plan:
        """The fleet without its roles."""
        return Plan(nodes=self.nodes, changes=1, interval=self.interval, grace=self.grace)


@dataclass(frozen=True, slots=True)
class Junk:
    """What names that nobody serves did to the metrics of a gateway."""

    names: int
    series_before: int
    series_after: int
    scrape_bytes: int
    scrape_ms: float


@dataclass(frozen=True, slots=True)
class ViewFigures:
    """All that was measured with one fleet."""

    nodes: int
    roles: int
    first: Mapping[str, float]  # milliseconds that a look takes after a pause, by path
    looks: Mapping[str, Times]  # those after it
    sizes: Mapping[str, int]  # bytes of an answer
    lag: Times  # small calls to the gateway that wait for whatever holds its loop
    quiet: Requests
    watched: Requests  # while the views are looked at
    cpu_us_quiet: float  # of the gateway, by request
    cpu_us_watched: float  # by request, and all that looking took
    junk: Junk

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Return it for people: what, and how much."""
        junk = self.junk
        return [
            ("services, roles", f"{self.nodes:,}, {self.roles:,}"),
            *(
                (
                    f"GET {path}",
                    f"{times}, {self.first[path]:.0f} ms after a pause,"
                    f" {self.sizes[path] / 1e3:.0f} kB",
                )
                for path, times in self.looks.items()
            ),
            ("the gateway's loop meanwhile, felt by GET /health", f"{self.lag}"),
            ("requests, nobody looks", f"{self.quiet}"),
            ("requests, while both are looked at", f"{self.watched}"),
            (
                "CPU of the gateway for a request",
                f"{self.cpu_us_quiet:.0f} us, with all that looking takes"
                f" {self.cpu_us_watched:.0f} us",
            ),
            (
                f"metric series after {junk.names:,} names that nobody serves",
                f"{junk.series_after - junk.series_before} more, {junk.series_after} in all,"
                f" {junk.scrape_bytes / 1e3:.0f} kB in {junk.scrape_ms:.1f} ms",
            ),
        ]


def figures(content: Mapping[str, Any]) -> ViewFigures:
    """Return what `document` made."""
    return ViewFigures(
        **{
            **content,
            "looks": {path: Times(**one) for path, one in content["looks"].items()},
            "lag": Times(**content["lag"]),
            "quiet": Requests(**content["quiet"]),
            "watched": Requests(**content["watched"]),
            "junk": Junk(**content["junk"]),
        }
    )
