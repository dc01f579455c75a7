"""Facts about single steps; `test_membership_machine` walks the state machine at random."""

import math

import pytest

from control.api.errors import HostIdInUse, InvalidValue, LeaseLost, NotFound
from control.inventory import Health, HostState, Metrics, Observation
from control.members import Changes, Lease
from control.membership import Membership
from control.pace import Rhythm
from tests.unit.control.builders import HEALTHY, asset, beat, host, offer, service

RHYTHM = Rhythm(interval=1.0, lease_intervals=3)


@pytest.fixture
def members():
    return Membership(RHYTHM, jitter=lambda: 0.0)


def join(members, host_id="h1", instance="i", now=0.0, offers=None):
    offers = [offer(f"{host_id}/s")] if offers is None else offers
    lease, _ = members.register(host(host_id), instance, offers, now)
    members.take_changes()
    return lease


def state(members, host_id="h1"):
    return members.members[host_id].state


def test_registering_grants_a_lease_and_tells_the_pace(members):
    lease, pace = members.register(host(), "i", [offer()], now=0.0)

    assert lease == Lease("h1", "i", 1)
    assert (pace.interval, pace.lease) == (1.0, 3.0)
    assert state(members) is HostState.ONLINE
    changes = members.take_changes()
    assert (changes.hosts, changes.services) == ({"h1"}, {"h1/s"})


def test_a_refused_definition_changes_nothing(members):
    with pytest.raises(InvalidValue):
        members.register(host(), "i", [offer("h2/s")], now=0.0)

    assert members.members == {}


class TestASecondInstance:
    def test_is_refused_while_the_first_has_a_live_stream(self, members):
        lease = join(members)
        members.open_stream(lease)
        members.beat(beat(lease, 1), now=1.0)
        with pytest.raises(HostIdInUse, match="'h1'"):
            join(members, instance="other", now=2.0)

        assert members.members["h1"].lease == lease

    def test_is_refused_right_after_the_first_registered(self, members):
        join(members)
        with pytest.raises(HostIdInUse):
            join(members, instance="other", now=0.1)

    def test_is_refused_while_unary_beats_come(self, members):
        lease = join(members)
        members.beat(beat(lease, 1), now=2.0)
        with pytest.raises(HostIdInUse):
            join(members, instance="other", now=4.9)

    def test_takes_over_when_the_stream_ended(self, members):
        lease = join(members)
        members.open_stream(lease)
        members.close_stream(lease)

        assert join(members, instance="other", now=0.1) == Lease("h1", "other", 2)
        with pytest.raises(LeaseLost):
            members.beat(beat(lease, 1), now=0.2)

    def test_takes_over_when_the_lease_expired(self, members):
        join(members)

        assert join(members, instance="other", now=3.0).generation == 2

    def test_is_refused_while_a_second_stream_of_the_first_lives(self, members):
        """A stream that ended for its age has a successor before it is closed here."""
        lease = join(members)
        members.open_stream(lease)
        members.open_stream(lease)
        members.close_stream(lease)
        with pytest.raises(HostIdInUse):
            join(members, instance="other", now=0.1)


def test_the_same_instance_takes_over_from_itself(members):
    old = join(members)
    new = join(members, now=0.1)

    assert new.generation == old.generation + 1
    with pytest.raises(LeaseLost):
        members.beat(beat(old, 1), now=0.2)
    members.close_stream(old)  # the old stream ends late
    with pytest.raises(HostIdInUse):
        join(members, instance="other", now=0.3)


def test_a_stream_that_ends_is_not_a_lost_host(members):
    lease = join(members)
    members.open_stream(lease)
    members.close_stream(lease)
    members.expire(now=2.9)

    assert state(members) is HostState.ONLINE


def test_beats_renew_the_lease_and_silence_ends_it(members):
    lease = join(members)
    members.beat(beat(lease, 1, ("h1/s", HEALTHY, None)), now=2.0)
    assert members.expire(now=4.9) == ([], 0)
    assert members.expire(now=5.0) == (["h1"], 0)

    assert state(members) is HostState.LOST
    assert members.take_changes().services == {"h1/s"}
    with pytest.raises(LeaseLost):
        members.beat(beat(lease, 2), now=5.1)


def test_a_beat_before_registering_is_answered_with_lease_lost(members):
    with pytest.raises(LeaseLost):
        members.beat(beat(Lease("h1", "i", 1), 1), now=0.0)
    with pytest.raises(LeaseLost):
        members.open_stream(Lease("h1", "i", 1))


class TestABeat:
    def test_that_repeats_or_is_older_changes_nothing(self, members):
        lease = join(members)
        members.beat(beat(lease, 5, ("h1/s", HEALTHY, None)), now=1.0)
        for sequence in (5, 4, 0, -1):
            members.beat(beat(lease, sequence), now=2.9)

        assert "h1/s" in members.members["h1"].offers
        assert members.expire(now=4.0) == (["h1"], 0)

    def test_without_a_service_withdraws_it(self, members):
        lease = join(members)
        members.beat(beat(lease, 1), now=1.0)

        assert members.offer("h1/s") is None
        changes = members.take_changes()
        assert (changes.hosts, changes.services) == ({"h1"}, {"h1/s"})

    def test_with_an_unknown_service_is_asked_for_its_definition(self, members):
        lease = join(members, offers=[])

        assert members.beat(beat(lease, 1, ("h1/new", HEALTHY, None)), now=1.0).wanted == (
            "h1/new",
        )
        answer = members.beat(beat(lease, 2, ("h1/new", HEALTHY, service("h1/new"))), now=1.1)
        assert (answer.wanted, answer.refused) == ((), {})
        assert members.offer("h1/new") is not None

    def test_takes_a_definition_only_when_its_revision_grew(self, members):
        lease = join(members, offers=[offer(revision=3)])
        for sequence, revision, taken in [(1, 3, False), (2, 2, False), (3, 4, True)]:
            new = service("h1/s", asset("other"), revision=revision)
            members.beat(beat(lease, sequence, ("h1/s", HEALTHY, new)), now=1.0)
            _, held = members.offer("h1/s")
            assert (held.service.assets[0].asset_id == "other") is taken

    def test_with_one_bad_definition_keeps_the_rest(self, members):
        lease = join(members, offers=[offer("h1/a", revision=1)])
        answer = members.beat(
            beat(
                lease,
                1,
                ("h1/a", HEALTHY, service("h1/a", asset(""), revision=2)),
                ("h1/b", HEALTHY, service("h1/b")),
                ("h2/c", HEALTHY, service("h2/c")),
                ("h1/d", HEALTHY, service("h1/other")),
            ),
            now=1.0,
        )

        assert set(answer.refused) == {"h1/a", "h2/c", "h1/d"}
        assert set(members.members["h1"].offers) == {"h1/a", "h1/b"}
        assert members.offer("h1/a")[1].service.revision == 1

    def test_is_limited_like_a_registration(self, members):
        lease = join(members, offers=[])
        many = [(f"h1/{n}", HEALTHY, service(f"h1/{n}")) for n in range(1_001)]
        answer = members.beat(beat(lease, 1, *many), now=1.0)

        assert list(answer.refused) == ["h1/1000"]

    @pytest.mark.parametrize("order", [("h1/small", "h1/large"), ("h1/large", "h1/small")])
    def test_has_its_assets_counted_over_the_whole_host_in_any_order(self, members, order):
        many = [asset(f"m{n}") for n in range(9_999)]
        lease = join(members, offers=[offer("h1/small"), offer("h1/large", *many)])
        grown = service("h1/small", asset("m1"), asset("m2"), revision=1)
        told = {"h1/small": grown, "h1/large": None}
        answer = members.beat(beat(lease, 1, *((one, HEALTHY, told[one]) for one in order)), now=1)

        assert "at most 10000 assets" in answer.refused["h1/small"]
        assert len(members.offer("h1/small")[1].service.assets) == 1

    def test_may_replace_a_definition_by_one_as_large_at_the_limits(self, members):
        many = [asset(f"m{n}") for n in range(9_001)]
        offers = [offer("h1/0", *many), *(offer(f"h1/{n}") for n in range(1, 1_000))]
        lease = join(members, offers=offers)
        fresh = service("h1/0", *many[:-1], asset("other"), revision=1)
        beats = [(one.service.service_id, HEALTHY, None) for one in offers[1:]]
        answer = members.beat(beat(lease, 1, *beats, ("h1/0", HEALTHY, fresh)), now=1)

        assert answer.refused == {}
        assert members.offer("h1/0")[1].service == fresh

    def test_may_give_the_room_of_what_it_withdraws_to_another_service(self, members):
        many = [asset(f"m{n}") for n in range(10_000)]
        lease = join(members, offers=[offer("h1/old", *many)])
        answer = members.beat(beat(lease, 1, ("h1/new", HEALTHY, service("h1/new", *many))), now=1)

        assert answer.refused == {}
        assert set(members.members["h1"].offers) == {"h1/new"}

    def test_with_odd_values_is_accepted_and_they_are_counted(self, members):
        lease = join(members)
        seen = Observation(Health.HEALTHY, -1, None, math.nan, None)
        members.beat(beat(lease, 1, ("h1/s", seen, None), metrics=Metrics(math.inf)), now=1.0)

        assert members.offer("h1/s")[1].observation == HEALTHY
        assert members.dropped_values == 3

    def test_that_tells_only_how_busy_it_is_changes_no_route(self, members):
        lease = join(members)
        seen = Observation(Health.HEALTHY, in_flight=3, queue_depth=2)
        members.beat(beat(lease, 1, ("h1/s", seen, None)), now=1.0)

        assert members.take_changes() == Changes(frozenset(), frozenset())
        assert members.waiting == {"h1/s": 2}


def test_a_change_of_health_is_a_change_of_routes(members):
    lease = join(members)
    members.beat(beat(lease, 1, ("h1/s", Observation(Health.UNHEALTHY), None)), now=1.0)

    changes = members.take_changes()
    assert (changes.hosts, changes.services) == (frozenset(), {"h1/s"})


class TestDeregistering:
    def test_with_the_lease_removes_host_and_services(self, members):
        lease = join(members)
        members.deregister("h1", lease)

        assert members.members == {}
        changes = members.take_changes()
        assert (changes.hosts, changes.services) == ({"h1"}, {"h1/s"})

    def test_with_a_foreign_lease_is_refused(self, members):
        lease = join(members)
        join(members, "h2", instance="j")
        for wrong in (Lease("h1", "x", 1), Lease("h1", "i", 2), Lease("h2", "j", 1)):
            with pytest.raises(LeaseLost):
                members.deregister("h1", wrong)

        assert members.members["h1"].lease == lease

    def test_without_a_lease_works_in_every_state(self, members):
        members.restore(host("h1"), 4, [service()], heard=-10.0)
        members.deregister("h1", None)

        assert members.returning == 0
        with pytest.raises(NotFound):
            members.deregister("h1", None)


class TestARestoredHost:
    def test_is_returning_with_its_services_until_it_registers(self, members):
        members.restore(host("h1"), 4, [service()], heard=-10.0)
        assert (state(members), members.returning) == (HostState.RETURNING, 1)
        with pytest.raises(LeaseLost):
            members.beat(beat(Lease("h1", "i", 4), 9), now=0.1)

        assert join(members).generation == 5
        assert (state(members), members.returning) == (HostState.ONLINE, 0)

    def test_is_lost_when_the_grace_period_ends(self, members):
        members.restore(host("h1"), 4, [service()], heard=-10.0)
        members.take_changes()

        assert members.end_grace() == ["h1"]
        assert (state(members), members.returning) == (HostState.LOST, 0)
        assert members.take_changes().services == {"h1/s"}
        assert members.end_grace() == []


class Fleet:
    """Hosts that beat once a second, spread over it as they are in life; swept four a second."""

    def __init__(self, size, lease_intervals=3):
        self.members = Membership(Rhythm(1.0, lease_intervals), jitter=lambda: 0.0)
        self.now = 0.0
        self.size = size
        self.sequence = 0
        self.leases = {n: join(self.members, f"h{n}", now=n / size) for n in range(size)}
        self.lost = {}  # when, by number
        self.run(2.0, self.leases)

    def run(self, seconds, beating):
        """Let time pass while the hosts `beating`, by number, beat."""
        ends = self.now + seconds
        while self.now < ends:
            before, self.now = self.now, self.now + 0.25
            for n in set(beating) & self.leases.keys() - self.lost.keys():
                # Its next moment to beat, by its place in the second.
                moment = math.floor(self.now - n / self.size) + n / self.size
                if before < moment <= self.now:
                    self.sequence += 1
                    self.members.beat(beat(self.leases[n], self.sequence), now=moment)
            over, self.spared = self.members.expire(self.now)
            self.lost |= {int(host_id[1:]): self.now for host_id in over}


class TestWhenManyFallSilentTogether:
    @pytest.mark.parametrize("lease_intervals", [2, 3, 20])
    @pytest.mark.parametrize("size", [10, 100])
    def test_nobody_is_lost_however_their_beats_were_spread(self, size, lease_intervals):
        fleet = Fleet(size, lease_intervals)
        fleet.run(60.0, beating=[])

        assert fleet.lost == {}
        assert fleet.spared == size

    def test_40_in_100_are_lost_in_time(self):
        fleet = Fleet(100)
        silent_from = fleet.now
        fleet.run(10.0, beating=range(40, 100))

        assert set(fleet.lost) == set(range(40))
        assert max(fleet.lost.values()) <= silent_from + 3.25
        assert fleet.spared == 0

    def test_those_that_come_back_late_are_not_lost_either(self):
        fleet = Fleet(100)
        fleet.run(30.0, beating=[])
        fleet.run(1.5, beating=range(60))
        assert fleet.lost == {}
        fleet.run(5.0, beating=range(100))

        assert (fleet.lost, fleet.spared) == ({}, 0)

    def test_everything_is_as_ever_after_they_came_back(self):
        fleet = Fleet(100)
        fleet.run(30.0, beating=[])
        fleet.run(5.0, beating=range(1, 100))

        assert set(fleet.lost) == {0}
        assert fleet.spared == 0

    def test_a_fleet_that_shrinks_slowly_loses_each_host_in_time(self):
        fleet = Fleet(20)
        for gone in range(1, 20):
            fleet.run(4.0, beating=range(gone, 20))
        fleet.run(4.0, beating=[19])

        assert set(fleet.lost) == set(range(19))

    def test_one_after_the_other_but_fast_is_together(self):
        """Leases end from the first on; what was lost just now counts with what is silent."""
        fleet = Fleet(100)
        for gone in range(0, 100, 10):
            fleet.run(1.0, beating=range(gone, 100))
        fleet.run(60.0, beating=[])

        assert fleet.members.online >= 45

    def test_fewer_than_five_hosts_are_simply_lost(self):
        fleet = Fleet(4)
        fleet.run(4.0, beating=[])

        assert len(fleet.lost) == 4


def test_leases_are_longer_by_the_time_in_which_control_did_not_run(members):
    lease = join(members)
    members.forgive(60.0)

    assert members.expire(now=62.9) == ([], 0)
    members.beat(beat(lease, 1), now=62.9)
