"""Facts about single steps; `test_membership_machine` walks the state machine at random."""

import math

import pytest

from control.api.errors import HostIdInUse, InvalidValue, LeaseLost, NotFound, RateLimited
from control.inventory import (
    Endpoint,
    Gpu,
    Health,
    HostState,
    Machine,
    Metrics,
    ModelFile,
    Observation,
    Resources,
)
from control.members import Changes, Lease
from control.membership import MAX_STREAMS, Membership
from control.pace import Rhythm
from control.probing.samples import Finding, HealthSample
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


def probe(members, *found, name="h1/s", now=1.0):
    asked = members.offer(name)[1].service
    for one in found:
        finding = Finding(one, {"http_ok": True}, "" if one is Health.HEALTHY else "answers 500")
        members.probed(asked, HealthSample(finding, now), now)


UNWELL = (Health.UNHEALTHY, Health.UNHEALTHY)


class TestAProbe:
    def test_that_fails_twice_takes_a_service_out_of_routes(self, members):
        join(members)
        probe(members, *UNWELL[:1])
        assert members.take_changes().services == frozenset()
        probe(members, *UNWELL[1:])
        assert members.take_changes().services == {"h1/s"}
        found = members.offer("h1/s")

        assert not members.well(*found)
        assert members.health(found[1]) is Health.UNHEALTHY
        assert found[1].observation.health is Health.HEALTHY
        assert members.why_unwell(found[1]) == "unhealthy by probe: answers 500"

    def test_that_says_what_the_node_says_gives_no_other_reason(self, members):
        join(members, offers=[offer(seen=Observation(Health.UNHEALTHY))])
        probe(members, *UNWELL)

        assert members.take_changes().services == frozenset()
        assert members.why_unwell(members.offer("h1/s")[1]) == ""

    def test_survives_beats_and_a_new_registration(self, members):
        lease = join(members)
        probe(members, *UNWELL)
        members.take_changes()
        members.beat(beat(lease, 1, ("h1/s", HEALTHY, None)), now=1.0)
        members.beat(
            beat(lease, 2, ("h1/s", HEALTHY, service("h1/s", revision=1, concurrency=2))), now=1.0
        )
        join(members, now=1.1)

        assert not members.well(*members.offer("h1/s"))

    @pytest.mark.parametrize(
        "fields",
        [{"endpoint": Endpoint("http", "127.0.0.1:9")}, {"engine": "vllm"}, {"api_key": "k"}],
        ids=lambda fields: next(iter(fields)),
    )
    def test_tells_nothing_of_another_server_in_its_place(self, members, fields):
        lease = join(members)
        asked = members.offer("h1/s")[1].service
        probe(members, *UNWELL)
        moved = service("h1/s", revision=1, **fields)
        members.beat(beat(lease, 1, ("h1/s", HEALTHY, moved)), now=1.0)
        assert members.well(*members.offer("h1/s"))
        late = HealthSample(Finding(Health.UNHEALTHY, {}), 1.0)
        members.probed(asked, late, 1.1)
        members.probed(asked, late, 1.1)

        assert members.well(*members.offer("h1/s"))
        assert members.probes.of("h1/s") is None

    def test_of_a_service_that_is_gone_is_forgotten(self, members):
        lease = join(members)
        asked = members.offer("h1/s")[1].service
        probe(members, *UNWELL)
        members.beat(beat(lease, 1), now=1.0)
        members.probed(asked, HealthSample(Finding(Health.HEALTHY, {}), 1.0), 1.0)
        members.unprobed("h1/s", 1.0)

        assert len(members.probes) == 0

    def test_that_is_forgotten_leaves_the_node_its_word(self, members):
        join(members)
        probe(members, *UNWELL)
        members.take_changes()
        members.unprobed("h1/s", 2.0)

        assert members.take_changes().services == {"h1/s"}
        assert members.well(*members.offer("h1/s"))

    def test_that_fails_is_a_fall_and_loading_is_none(self, members):
        join(members, offers=[offer("h1/a"), offer("h1/b")])
        for now in range(1, 4):
            for name, found in (("h1/a", Health.UNHEALTHY), ("h1/b", Health.LOADING)):
                probe(members, found, found, Health.HEALTHY, Health.HEALTHY, name=name, now=now)

        assert members.held_back(members.offer("h1/a")[1])
        assert not members.held_back(members.offer("h1/b")[1])

    def test_that_fails_after_the_node_said_so_is_no_second_fall(self, members):
        lease = join(members)
        ill = Observation(Health.UNHEALTHY)
        for turn in range(2):
            sequence, now = 2 * turn + 1, float(turn)
            members.beat(beat(lease, sequence, ("h1/s", ill, None)), now=now)
            probe(members, *UNWELL, now=now)
            members.beat(beat(lease, sequence + 1, ("h1/s", HEALTHY, None)), now=now)
            probe(members, Health.HEALTHY, Health.HEALTHY, now=now)

        assert not members.held_back(members.offer("h1/s")[1])


class TestALeaseIsAsLongAsItsNodeWasTold:
    def test_a_host_that_was_told_a_short_interval_is_not_lost_when_the_fleet_grows(self):
        members = Membership(Rhythm(1.0, 3, beats_per_second=10.0), jitter=lambda: 0.0)
        early = join(members, "early", now=0.0)
        leases = {n: join(members, f"h{n}", now=0.9) for n in range(100)}
        told = members.beat(beat(leases[0], 1), now=1.0).pace
        assert told.interval > 10.0
        assert members.members["early"].deadline == 3.0
        members.beat(beat(early, 1), now=2.9)

        assert members.members["early"].deadline == pytest.approx(2.9 + told.lease, rel=0.02)

    def test_a_host_that_was_told_a_long_interval_is_not_lost_when_the_fleet_shrinks(self):
        members = Membership(Rhythm(1.0, 3, beats_per_second=10.0), jitter=lambda: 0.0)
        for n in range(100):
            join(members, f"h{n}")
        lease, told = members.register(host("last"), "i", [], 0.0)
        for n in range(100):
            members.deregister(f"h{n}", None, now=0.1)

        assert members.expire(now=told.interval + 1.0) == ([], 0)
        members.beat(beat(lease, 1), now=told.interval + 1.0)

    def test_hosts_on_their_way_back_count_as_the_fleet_that_they_will_be(self):
        members = Membership(Rhythm(1.0, 3, beats_per_second=10.0), jitter=lambda: 0.0)
        for n in range(100):
            members.restore(host(f"h{n}"), 1, [], heard=-1.0)
        _, told = members.register(host("h0"), "i", [], 0.0)

        assert told.interval > 10.0


class TestAHostThatCallsTooOften:
    def test_is_refused_and_others_are_not(self, members):
        noisy, other = join(members), join(members, "h2")

        def flood():
            for sequence in range(1_000):
                members.beat(beat(noisy, sequence + 1), now=sequence / 1_000)

        with pytest.raises(RateLimited, match="'h1'"):
            flood()
        members.beat(beat(other, 1), now=1.0)
        members.beat(beat(noisy, 2_000), now=2.0)

    def test_is_refused_when_it_registers_without_end(self, members):
        def flood():
            for step in range(1_000):
                join(members, now=step / 1_000)

        with pytest.raises(RateLimited):
            flood()

    def test_does_not_lose_its_calls_to_another_instance_that_is_refused(self, members):
        lease = join(members)
        for _ in range(1_000):
            with pytest.raises(HostIdInUse):
                join(members, instance="other", now=0.1)

        members.beat(beat(lease, 1), now=0.1)

    def test_has_few_streams(self, members):
        lease = join(members)
        for _ in range(MAX_STREAMS):
            members.open_stream(lease)
        with pytest.raises(RateLimited, match="4 streams"):
            members.open_stream(lease)
        members.close_stream(lease)

        members.open_stream(lease)


class TestWhatComesAndGoes:
    def toggle(self, members, lease, seconds, sequence=0):
        """Let a service change its health every 2 s; return how often routes followed."""
        routed, changes = True, 0
        for second in range(0, seconds, 2):
            sequence += 1
            seen = Observation(Health.UNHEALTHY) if second % 4 == 0 else HEALTHY
            members.beat(beat(lease, sequence, ("h1/s", seen, None)), now=float(second))
            members.release(float(second))
            now_routed = members.routable(*members.offer("h1/s"))
            changes += now_routed != routed
            routed = now_routed
        return changes

    def test_a_service_that_toggles_is_held_back_and_comes_back_when_it_stays(self, members):
        lease = join(members)
        assert self.toggle(members, lease, 300) <= 6
        member, held = members.offer("h1/s")
        assert members.held_back_for(held, now=300.0) > 0
        members.take_changes()
        members.beat(beat(lease, 999, ("h1/s", HEALTHY, None)), now=300.0)
        assert not members.routable(member, held)
        assert members.well(*members.offer("h1/s"))

        assert members.release(now=360.0) == ["h1/s"]
        assert members.take_changes().services == {"h1/s"}
        assert members.routable(*members.offer("h1/s"))

    def test_a_host_that_leaves_and_returns_is_held_back_with_all_it_offers(self, members):
        for second in range(6):
            lease = join(members, now=float(second))
            members.deregister("h1", lease, now=second + 0.5)
        join(members, offers=[offer("h1/a"), offer("h1/b")], now=6.0)

        assert not any(members.routable(*found) for found in members.offers())
        assert members.release(now=66.0) == ["h1"]
        assert members.take_changes().services == {"h1/a", "h1/b"}
        assert all(members.routable(*found) for found in members.offers())

    def test_what_is_withdrawn_and_offered_again_is_held_back_too(self, members):
        lease = join(members)
        for sequence in range(1, 11, 2):
            members.beat(beat(lease, sequence), now=float(sequence))
            again = ("h1/s", HEALTHY, service())
            members.beat(beat(lease, sequence + 1, again), now=sequence + 1.0)

        assert not members.routable(*members.offer("h1/s"))

    def test_loading_another_model_is_no_fall(self, members):
        lease = join(members)
        for sequence in range(1, 21):
            seen = Observation(Health.LOADING) if sequence % 2 else HEALTHY
            members.beat(beat(lease, sequence, ("h1/s", seen, None)), now=float(sequence))

        assert members.routable(*members.offer("h1/s"))

    def test_loading_for_the_first_time_is_no_fall(self, members):
        lease = join(members, offers=[offer(seen=Observation(Health.LOADING))])
        members.beat(beat(lease, 1, ("h1/s", HEALTHY, None)), now=1.0)
        members.beat(beat(lease, 2), now=2.0)

        assert len(members.flaps) == 0


class TestDeregistering:
    def test_with_the_lease_removes_host_and_services(self, members):
        lease = join(members)
        members.deregister("h1", lease, now=1.0)

        assert members.members == {}
        changes = members.take_changes()
        assert (changes.hosts, changes.services) == ({"h1"}, {"h1/s"})

    def test_with_a_foreign_lease_is_refused(self, members):
        lease = join(members)
        join(members, "h2", instance="j")
        for wrong in (Lease("h1", "x", 1), Lease("h1", "i", 2), Lease("h2", "j", 1)):
            with pytest.raises(LeaseLost):
                members.deregister("h1", wrong, now=1.0)

        assert members.members["h1"].lease == lease

    def test_without_a_lease_works_in_every_state(self, members):
        members.restore(host("h1"), 4, [service()], heard=-10.0)
        members.deregister("h1", None, now=1.0)

        assert members.returning == 0
        with pytest.raises(NotFound):
            members.deregister("h1", None, now=1.0)


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

        assert members.end_grace(now=1.0) == ["h1"]
        assert (state(members), members.returning) == (HostState.LOST, 0)
        assert members.take_changes().services == {"h1/s"}
        assert members.end_grace(now=1.0) == []


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

    def test_hosts_that_left_are_not_missed(self):
        """60 of 100 leave with a word; the one of the rest that goes silent is lost."""
        fleet = Fleet(100)
        for n in range(60):
            fleet.members.deregister(f"h{n}", fleet.leases.pop(n), now=fleet.now)
        fleet.run(4.0, beating=range(61, 100))

        assert (set(fleet.lost), fleet.spared) == ({60}, 0)

    def test_five_of_nine_are_more_than_the_share_and_five_of_ten_are_not(self):
        for size, spared in [(9, 5), (10, 0)]:
            fleet = Fleet(size)
            fleet.run(10.0, beating=range(5, size))
            assert (fleet.spared, len(fleet.lost)) == (spared, 0 if spared else 5)

    def test_fewer_than_five_hosts_are_simply_lost(self):
        fleet = Fleet(4)
        fleet.run(4.0, beating=[])

        assert len(fleet.lost) == 4


def test_leases_are_longer_by_the_time_in_which_control_did_not_run(members):
    lease = join(members)
    members.forgive(60.0)

    assert members.expire(now=62.9) == ([], 0)
    members.beat(beat(lease, 1), now=62.9)


class TestWhatElseIsOnAMachine:
    FOUND = Machine((ModelFile("/m/a.gguf", 5),), 1)

    def test_is_known_from_registration_until_a_beat_tells_otherwise(self, members):
        lease, _ = members.register(host(), "i", [offer()], 0.0, self.FOUND)
        assert members.members["h1"].machine == self.FOUND

        members.beat(beat(lease, 1, ("h1/s", HEALTHY, None)), now=1.0)
        assert members.members["h1"].machine == self.FOUND
        members.beat(beat(lease, 2, ("h1/s", HEALTHY, None), machine=Machine()), now=2.0)
        assert members.members["h1"].machine == Machine()

    def test_is_unknown_when_its_node_comes_back_without_a_word(self, members):
        members.register(host(), "i", [offer()], 0.0, self.FOUND)
        join(members, now=1.0)

        assert members.members["h1"].machine is None

    def test_is_cut_and_never_keeps_a_host_away(self, members):
        odd = Machine((ModelFile("", -1), ModelFile("/\x1b", -1)), -5, ("\0",) * 1_000)
        gpus = (Gpu(""), Gpu("0", memory_bytes=-1), Gpu("0"))
        members.register(host(resources=Resources(8, gpus=gpus)), "i", [offer()], 0.0, machine=odd)
        member = members.members["h1"]

        assert member.machine.files == (ModelFile("/ ", 0),)
        assert len(member.machine.problems) == 100
        assert member.host.resources == Resources(8, gpus=(Gpu("0"),))
        assert set(member.offers) == {"h1/s"}

    def test_is_no_change_of_routes_nor_of_what_is_stored(self, members):
        lease = join(members)
        members.beat(beat(lease, 1, ("h1/s", HEALTHY, None), machine=self.FOUND), now=1.0)

        assert members.take_changes() == Changes(frozenset(), frozenset())


class TestServiceIds:
    def test_of_another_host_are_refused_and_that_host_keeps_its_own(self, members):
        mine, theirs = join(members, "h1"), join(members, "h2")
        claimed = service("h2/s", endpoint=Endpoint("http", "evil:1"), revision=99)
        answer = members.beat(
            beat(mine, 1, ("h1/s", HEALTHY, None), ("h2/s", HEALTHY, claimed)), now=1.0
        )
        members.beat(beat(theirs, 1, ("h2/s", HEALTHY, None)), now=1.0)

        assert set(answer.refused) == {"h2/s"}
        assert members.offer("h2/s") == (members.members["h2"], offer("h2/s"))
        assert set(members.members["h1"].offers) == {"h1/s"}

    def test_of_another_host_cannot_be_withdrawn_or_called_ill(self, members):
        lease = join(members, "h1")
        join(members, "h2")
        ill = Observation(Health.UNHEALTHY)
        members.beat(beat(lease, 1, ("h2/s", ill, None)), now=1.0)

        assert members.offer("h2/s")[1].observation == HEALTHY
        assert members.offer("h1/s") is None

    def test_that_are_told_twice_in_a_beat_are_one_service_as_told_last(self, members):
        lease = join(members)
        ill = Observation(Health.UNHEALTHY)
        members.beat(beat(lease, 1, ("h1/s", HEALTHY, None), ("h1/s", ill, None)), now=1.0)

        assert [one.observation for one in members.members["h1"].offers.values()] == [ill]

    def test_that_change_places_are_routed_to_as_they_stand_now(self, members):
        places = Endpoint("http", "127.0.0.1:1"), Endpoint("http", "127.0.0.1:2")
        offers = [offer(f"h1/{n}", endpoint=one) for n, one in zip("ab", places, strict=True)]
        lease = join(members, offers=offers)
        swapped = [
            (f"h1/{n}", HEALTHY, service(f"h1/{n}", endpoint=one, revision=1))
            for n, one in zip("ba", places, strict=True)
        ]
        members.beat(beat(lease, 1, *swapped), now=1.0)

        assert members.service("h1/a").endpoint == places[1]
        assert members.service("h1/b").endpoint == places[0]
        assert members.take_changes().services == {"h1/a", "h1/b"}

    def test_that_are_all_left_out_are_all_withdrawn_at_once(self, members):
        lease = join(members, offers=[offer(f"h1/{n}") for n in range(100)])
        members.beat(beat(lease, 1), now=1.0)

        assert not members.members["h1"].offers
        assert len(members.take_changes().services) == 100
