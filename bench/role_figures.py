"""What a fleet with roles is to be like, and what was measured with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.fleet_figures import Plan
from bench.front import Requests
from bench.pulse import Times


@dataclass(frozen=True, slots=True)
class RolePlan:
    """The fleet, its roles, and how much is measured."""

    nodes: int = 1_000
    roles: int = 100
    mixed: bool = False  # whether roles are choosy, and hosts and models differ
    changes: int = 200  # nodes that have the speed of their service change
    changes_per_second: float = 20.0  # while requests are measured
    seconds: float = 8.0  # of requests that are measured
    rate: float = 200.0  # requests a second
    interval: float = 5.0  # seconds between beats, at least
    rest: float = 1.5  # seconds without an update, after which all is told

    @property
    def fleet(self) -> Plan:
        """The fleet without its roles."""
        return Plan(
            nodes=self.nodes, changes=self.changes, interval=self.interval, mixed=self.mixed
        )


@dataclass(frozen=True, slots=True)
class Compiled:
    """What it took until a gateway had all targets, and how control answered meanwhile."""

    seconds: float
    cpu_s: float  # of control
    calls: Times
    beats: Times


@dataclass(frozen=True, slots=True)
class Followed:
    """What control did, with one gateway's table that follows it."""

    candidates: int  # of all roles together
    registered_s: float  # from control's start with a full store to the last registration
    settled_s: float  # from that start until the gateway takes what is not there for gone
    start: Compiled  # from that start to the last change of a route
    reload: Compiled  # from SIGHUP on, with every role changed
    changes: Times  # of one service that may serve many roles, from its node to the gateway
    bytes_per_change: float
    cpu_ms_per_change: float  # of control
    rss_mib: float  # of control


@dataclass(frozen=True, slots=True)
class Served:
    """What a gateway did meanwhile."""

    quiet: Requests  # without any change of the table
    changing: Requests  # with some changes a second
    changes_per_second: float
    reloading: Requests  # with every role changed at once
    cpu_ms_per_change: float
    rss_mib: float


@dataclass(frozen=True, slots=True)
class RoleFigures:
    """All that was measured with one fleet and one catalog."""

    nodes: int
    roles: int
    mixed: bool
    followed: Followed
    served: Served

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Return it for people: what, and how much."""
        followed, served = self.followed, self.served
        start, reload = followed.start, followed.reload
        kind = "mixed" if self.mixed else "each open to all"
        return [
            ("services, roles", f"{self.nodes:,}, {self.roles:,} {kind}"),
            ("candidates of roles", f"{followed.candidates:,}"),
            (
                "control starts with a full store",
                f"nodes back within {followed.registered_s:.1f} s, the gateway has all"
                f" after {start.seconds:.1f} s, settled after {followed.settled_s:.1f} s",
            ),
            ("CPU of control for the start", f"{start.cpu_s:.2f} s"),
            ("calls after the start", f"{start.calls}"),
            ("beats after the start", f"{start.beats}"),
            ("every role changes, SIGHUP to gateway", f"{reload.seconds:.2f} s"),
            ("CPU of control for the reload", f"{reload.cpu_s:.2f} s"),
            ("calls during the reload", f"{reload.calls}"),
            ("beats during the reload", f"{reload.beats}"),
            ("one service changes, node to gateway", f"{followed.changes}"),
            ("an update about it", f"{followed.bytes_per_change / 1_000:.1f} kB"),
            (
                "CPU for it",
                f"{followed.cpu_ms_per_change:.1f} ms in control,"
                f" {served.cpu_ms_per_change:.1f} ms in a gateway",
            ),
            ("requests, nothing changes", f"{served.quiet}"),
            (f"requests, {served.changes_per_second:.0f} changes/s", f"{served.changing}"),
            ("requests, every role changes", f"{served.reloading}"),
            (
                "memory",
                f"{followed.rss_mib:.0f} MiB in control, {served.rss_mib:.0f} MiB in a gateway",
            ),
        ]


def figures(content: Mapping[str, Any]) -> RoleFigures:
    """Return what `document` made."""
    followed, served = content["followed"], content["served"]
    compiled = {name: _compiled(followed[name]) for name in ("start", "reload")}
    requests = {name: Requests(**served[name]) for name in ("quiet", "changing", "reloading")}
    return RoleFigures(
        **{
            **content,
            "followed": Followed(
                **{**followed, **compiled, "changes": Times(**followed["changes"])}
            ),
            "served": Served(**{**served, **requests}),
        }
    )


def _compiled(content: Mapping[str, Any]) -> Compiled:
    felt = {name: Times(**content[name]) for name in ("calls", "beats")}
    return Compiled(**{**content, **felt})
