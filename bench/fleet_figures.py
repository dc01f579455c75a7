"""What a fleet is to be like, and what was measured with it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The fleet, and how control is told to treat it."""

    nodes: int = 1_000
    services: int = 1  # of each node
    seconds: float = 15.0  # of beats that are measured
    changes: int = 300  # nodes that have one of their services break down
    interval: float = 5.0  # seconds between beats, at least
    beats_per_second: float = 500.0  # of the whole fleet, at most
    per_channel: int = 1  # nodes that share a connection
    processes: int = 1  # that nodes live in, beside the one that measures
    down: float = 2.0  # seconds that control is away
    after: float = 5.0  # seconds after the last node is back, for a second wave to show
    grace: float = 30.0  # seconds that control waits for hosts when it starts
    mixed: bool = False  # whether hosts and models differ in more than their names


@dataclass(frozen=True, slots=True)
class Steady:
    """What beats alone cost control. CPU is in cores."""

    beats_per_second: float
    cpu_share: float
    cpu_us_per_beat: float
    rss_mib: float
    transactions_per_second: float
    nodes_cpu_share: float  # of the busiest process that nodes live in


@dataclass(frozen=True, slots=True)
class Changes:
    """How long after a node saw a change a gateway routes by it. Milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Comeback:
    """How the nodes came back after control was killed and started again."""

    seconds: float  # from control's new start to the last node's registration
    fullest_second: int  # registrations in it
    needless: int  # registrations of nodes that had registered already
    marked_down: int  # nodes that control took for lost, at most at one time


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured with one fleet."""

    nodes: int
    services: int
    registered_s: float  # from the first node's start to the last one's registration
    steady: Steady
    changes: Changes
    comeback: Comeback

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Return it for people: what, and how much."""
        steady, changes, comeback = self.steady, self.changes, self.comeback
        mean = self.nodes / comeback.seconds
        return [
            ("nodes, services", f"{self.nodes:,}, {self.services:,}"),
            ("all registered", f"{self.registered_s:.1f} s"),
            ("beats/s", f"{steady.beats_per_second:,.0f}"),
            ("CPU of control", f"{steady.cpu_share:.0%} of a core"),
            ("CPU/beat", f"{steady.cpu_us_per_beat:,.0f} us, all included"),
            ("memory of control", f"{steady.rss_mib:.0f} MiB"),
            ("transactions/s", f"{steady.transactions_per_second:.1f}"),
            ("CPU of the nodes", f"{steady.nodes_cpu_share:.0%} of a core"),
            (
                "change to gateway",
                f"p50 {changes.p50_ms:.1f} ms, p99 {changes.p99_ms:.1f} ms,"
                f" max {changes.max_ms:.1f} ms of {changes.count}",
            ),
            (
                "back after SIGKILL",
                f"all within {comeback.seconds:.1f} s, {comeback.marked_down} marked down",
            ),
            (
                "registrations then",
                f"{comeback.fullest_second} in the fullest second, {mean:.0f} on average,"
                f" {comeback.needless} needless",
            ),
        ]


def fullest(moments: Sequence[float]) -> int:
    """Return how many of `moments`, in seconds, fall into the same second at most."""
    return max(Counter(int(one) for one in moments).values(), default=0)
