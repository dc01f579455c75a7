"""Results as a comparison would find them."""

from dataclasses import replace

from bench.cases import CASES, JSON_1
from bench.fleet_figures import Changes, Comeback, Figures, Steady
from bench.front import Requests
from bench.outcome import CURVE, Outcome
from bench.pulse import Times
from bench.results import Machine, Results, Row
from bench.role_figures import Compiled, Followed, RoleFigures, Served
from bench.view_figures import Junk, ViewFigures

NOTHING = Outcome(
    seconds=2.0,
    answered=1_000,
    requests_per_second=500.0,
    latency={"p50": 100.0, "p90": 110.0, "p99": 150.0, "p99.9": 160.0, "max": 200.0},
    first_byte=None,
    gap=None,
    events=0,
    events_per_second=0.0,
    asked=0,
    delivered=0,
    errors={},
    reconnected=0,
    unanswered=0,
    unsent=0,
    cpu_share=1.0,
    cpu_per_request=20.0,
    cpu_per_event=None,
    rss_mib=80.0,
    own_share=0.3,
    curve=(),
)


def outcome(cost: float, latency: float, *, stream: bool) -> Outcome:
    """Return what a target finds that costs so many microseconds a request or event."""
    times = {"p50": latency, "p90": latency, "p99": 2 * latency, "p99.9": 0.0, "max": 0.0}
    if not stream:
        return replace(NOTHING, cpu_per_request=cost, latency=times, curve=(latency,) * len(CURVE))
    return replace(
        NOTHING, cpu_per_event=cost, first_byte=times, asked=650, delivered=649, events=700
    )


def results(*targets: tuple[str, float, float], rounds: int = 2) -> Results:
    """Return results of targets: name, cost and latency. The second round is twice as slow."""
    rows = [
        Row(name, case.name, number, True, outcome(cost * number, latency, stream=case.stream))
        for number in range(1, rounds + 1)
        for name, cost, latency in targets
        for case in CASES
    ]
    bare = [
        row if row.case == JSON_1.name else replace(row, outcome=replace(row.outcome, curve=()))
        for row in rows
    ]
    names = [name for name, _, _ in targets]
    return Results(
        when="2026-01-02 03:04",
        machine=Machine("a CPU", 2, 24, "6.1", "3.11.7"),
        steal=0.0,
        versions=dict.fromkeys(names, "1.0"),
        ready=dict.fromkeys(names, 0.5),
        skipped={"absent": "it cannot be had"},
        rows=tuple(bare),
        fleets=(FLEET,),
        roles=(ROLES,),
        views=(VIEWS,),
    )


FLEET = Figures(
    nodes=1_000,
    services=1_000,
    registered_s=2.0,
    steady=Steady(200.0, 0.1, 500.0, 90.0, 1.0, 0.3),
    changes=Changes(300, 1.0, 3.0, 5.0),
    comeback=Comeback(2.5, 500, 0, 0),
)

COMPILED = Compiled(2.5, 1.25, Times(100, 1.0, 4.0, 8.0), Times(20, 0.5, 3.0, 3.0))

ROLES = RoleFigures(
    nodes=1_000,
    roles=100,
    mixed=False,
    followed=Followed(
        candidates=100_000,
        registered_s=6.0,
        settled_s=12.0,
        start=replace(COMPILED, seconds=6.1),
        reload=COMPILED,
        changes=Times(200, 7.0, 20.0, 33.3),
        bytes_per_change=10_194.0,
        cpu_ms_per_change=2.7,
        rss_mib=164.9,
    ),
    served=Served(
        quiet=Requests(1_600, 214.0, 954.0, 2_856.0),
        changing=Requests(1_600, 230.0, 2_000.0, 4_000.0),
        changes_per_second=20.0,
        reloading=Requests(1_600, 230.0, 12_496.0, 26_395.0),
        cpu_ms_per_change=5.6,
        rss_mib=171.8,
    ),
)

VIEWS = ViewFigures(
    nodes=1_000,
    roles=20,
    first={"/v1/models": 149.0},
    looks={"/v1/models": Times(40, 2.0, 9.0, 9.5)},
    sizes={"/v1/models": 2_148_700},
    lag=Times(500, 0.5, 2.0, 4.0),
    quiet=Requests(2_000, 214.0, 954.0, 2_856.0),
    watched=Requests(2_000, 230.0, 2_000.0, 4_000.0),
    cpu_us_quiet=180.0,
    cpu_us_watched=240.0,
    junk=Junk(10_000, 49, 50, 7_300, 7.5),
)
