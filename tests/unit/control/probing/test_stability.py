"""Ten minutes of virtual time in which node and probes disagree: how often do routes change?"""

import heapq
import itertools
from random import Random

import pytest

from control.flaps import FREE_FALLS, WINDOW_S
from control.inventory import Health, Observation
from control.membership import Membership
from control.pace import Rhythm
from control.probing.samples import Finding, HealthSample
from control.probing.schedule import JITTER, Schedule
from tests.unit.control.builders import HEALTHY, beat, host, offer

TEN_MINUTES = 600.0
BEAT_S, SWEEP_S = 5.0, 0.25
ILL = Observation(Health.UNHEALTHY)

WELL = Finding(Health.HEALTHY, {"http_ok": True})
DOWN = Finding(Health.UNHEALTHY, {"http_ok": False}, "answers 500 at /health")


def simulate(reported, probed, interval, seed=1):
    """Return when routes changed, each time with whether requests went there from then on.

    reported: what each beat tells. probed: what each probe finds. Routes are followed as the
    publisher does: looked at again when the membership says that something changed.
    """
    chance = Random(seed)
    members = Membership(Rhythm(interval=BEAT_S), jitter=lambda: 0.0)
    lease, _ = members.register(host(), "i", [offer()], 0.0)
    members.take_changes()
    told, changes = True, []

    def after_beat():
        members.beat(beat(lease, next(sequence), ("h1/s", next(reported), None)), now)
        return BEAT_S * (1.0 - 0.1 * chance.random())

    def after_probe():
        asked = members.offer("h1/s")[1].service
        members.probed(asked, HealthSample(next(probed), now), now)
        return interval * (1.0 + JITTER * (2.0 * chance.random() - 1.0))

    def after_sweep():
        members.expire(now)
        members.release(now)
        return SWEEP_S

    sequence = itertools.count(1)
    steps = [after_beat, after_probe, after_sweep]
    turns = [(interval * chance.random() if n == 1 else 0.0, n) for n in range(3)]
    heapq.heapify(turns)
    while turns[0][0] < TEN_MINUTES:
        now, which = heapq.heappop(turns)
        heapq.heappush(turns, (now + steps[which](), which))
        if "h1/s" in members.take_changes().services:
            member, found = members.offer("h1/s")
            routed = members.routable(member, found)
            if routed != told:
                changes.append((now, routed))
            told = routed
    return changes


INTERVALS = pytest.mark.parametrize("interval", [0.5, 2.0, 5.0, 10.0, 60.0])
always = itertools.repeat
in_turn = itertools.cycle


@INTERVALS
@pytest.mark.parametrize("seed", range(5))
def test_whose_probes_fail_leaves_once_and_stays_away(interval, seed):
    """The original's health of such a service changed with every heartbeat and every probe."""
    changes = simulate(always(HEALTHY), always(DOWN), interval, seed)

    ((when, routed),) = changes
    assert not routed
    assert when <= 2.2 * interval


@INTERVALS
def test_whom_its_node_calls_ill_no_probe_brings_back(interval):
    changes = simulate(always(ILL), always(WELL), interval)

    assert [routed for _, routed in changes] == [False]
    assert changes[0][0] == 0.0


@INTERVALS
@pytest.mark.parametrize("first", [(WELL, DOWN), (DOWN, WELL)], ids=["well first", "down first"])
def test_who_fails_every_second_probe_stays_as_it_is(interval, first):
    assert simulate(always(HEALTHY), in_turn(first), interval) == []


@INTERVALS
def test_a_node_that_changes_its_mind_changes_nothing_while_probes_fail(interval):
    probed = always(DOWN)
    steady = simulate(always(HEALTHY), probed, interval)
    wavering = simulate(itertools.chain([HEALTHY] * 30, in_turn([ILL, HEALTHY])), probed, interval)

    assert wavering == steady


@INTERVALS
def test_who_comes_back_is_away_as_long_as_probes_fail(interval):
    probed = itertools.chain([WELL] * 3, [DOWN] * 3, always(WELL))
    changes = simulate(always(HEALTHY), probed, interval)

    (left, away), (back, there) = changes
    assert (away, there) == (False, True)
    assert 2.6 * interval < back - left < 3.4 * interval


@INTERVALS
def test_who_does_the_worst_that_two_in_a_row_allow_is_held_back(interval):
    """Two failures, two successes, and so on: both are believed, but not three times a minute."""
    changes = simulate(always(HEALTHY), in_turn([DOWN, DOWN, WELL, WELL]), interval)
    times_back = sum(there for _, there in changes)

    print(f"\nprobed every {interval} s: {times_back} times back in ten minutes")
    assert times_back <= TEN_MINUTES / WINDOW_S * FREE_FALLS


@INTERVALS
@pytest.mark.parametrize("takes", [0.0, 0.4], ids=["refused", "swallowed"])
def test_a_control_that_is_cut_off_from_all_of_them_withdraws_none(interval, takes):
    """However a probe ends, and however many wait for others: each fails once before any twice.

    takes: until a probe is over, in intervals.
    """
    chance = Random(1)
    members = Membership(Rhythm(interval=BEAT_S), jitter=lambda: 0.0)
    services = {f"h{n}/s" for n in range(200)}
    for one in services:
        members.register(host(one[:-2]), "i", [offer(one)], 0.0)
    schedule = Schedule(interval, chance.random)
    for one in sorted(services):
        schedule.add(one, 0.0)
    cut_at, end = 3 * interval, 12 * interval
    slots = [0.0] * 64  # when each is free
    while (now := max(heapq.heappop(slots), schedule.wait(0.0))) < end:
        one = schedule.take(now)
        silent = now >= cut_at
        over = now + (takes * interval if silent else 0.0)
        sample = HealthSample(DOWN, over) if silent else HealthSample(WELL, over, latency=0.001)
        members.probed(members.offer(one)[1].service, sample, over)
        schedule.again(one, now)
        heapq.heappush(slots, over)

    assert members.probes.cut_off
    assert {members.probes.health(one) for one in services} == {Health.HEALTHY}
