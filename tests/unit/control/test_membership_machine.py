"""The membership under random steps, against a model that knows only who said what when."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from control.api.errors import HostIdInUse, LeaseLost, RateLimited
from control.inventory import Health, HostState, Observation
from control.membership import MAX_STREAMS, Membership
from control.pace import Rhythm
from control.probing.samples import Finding, HealthSample
from tests.unit.control.builders import HEALTHY, beat, host, offer, service

HOSTS = ["h1", "h2", "h3"]
LEASE_S = 3.0
HEALTHS = st.sampled_from([HEALTHY, Observation(Health.LOADING)])


class Cluster(RuleBasedStateMachine):
    leases = Bundle("leases")

    @initialize(restored=st.sets(st.sampled_from(HOSTS)))
    def start(self, restored):
        self.membership = Membership(Rhythm(interval=1.0, lease_intervals=3), lambda: 0.0)
        self.now = 0.0
        self.current = {}  # host id: lease
        self.heard = {}  # host id: when its lease was renewed
        self.streams = {}  # lease: open streams
        self.detached = set()  # host ids whose last stream ended
        self.sequences = {}
        self.highest = dict.fromkeys(restored, 3)
        self.known = {}  # service id: what a follower of the changes makes of it
        for host_id in restored:
            self.membership.restore(host(host_id), 3, [service(f"{host_id}/s")], heard=-1.0)
        self.follow()

    def alive(self, host_id):
        return (
            host_id in self.current
            and host_id not in self.detached
            and self.now < self.heard[host_id] + LEASE_S
        )

    def good(self, lease):
        member = self.membership.members.get(lease.host_id)
        return self.current.get(lease.host_id) == lease and member.state is HostState.ONLINE

    def follow(self):
        """Do what the publisher does: look again at what changed, and only at that."""
        for service_id in self.membership.take_changes().services:
            found = self.membership.offer(service_id)
            if found is None:
                self.known.pop(service_id, None)
            else:
                self.known[service_id] = self.told(*found)

    @rule(target=leases, host_id=st.sampled_from(HOSTS), instance=st.sampled_from("ab"))
    def register(self, host_id, instance):
        current = self.current.get(host_id)
        refused = current and current.instance_id != instance and self.alive(host_id)
        try:
            lease, _ = self.membership.register(
                host(host_id), instance, [offer(f"{host_id}/s")], self.now
            )
        except HostIdInUse:
            assert refused
            return multiple()
        assert not refused
        assert lease.generation > self.highest.get(host_id, 0)
        self.highest[host_id] = lease.generation
        self.current[host_id] = lease
        self.heard[host_id] = self.now
        self.detached.discard(host_id)
        self.sequences[lease] = 0
        self.streams[lease] = 0  # the lease of a host that was removed may come again
        self.follow()
        return lease

    @rule(
        lease=leases,
        sequence=st.integers(-1, 6),
        beats=st.dictionaries(st.sampled_from("st"), st.tuples(HEALTHS, st.booleans())),
    )
    def send_beat(self, lease, sequence, beats):
        services = [
            (f"{lease.host_id}/{name}", seen, service(f"{lease.host_id}/{name}") if told else None)
            for name, (seen, told) in beats.items()
        ]
        held = set(self.membership.members[lease.host_id].offers) if self.good(lease) else set()
        try:
            answer = self.membership.beat(beat(lease, sequence, *services), self.now)
        except LeaseLost:
            assert not self.good(lease)
            return
        assert self.good(lease)
        if sequence <= self.sequences[lease]:
            assert set(self.membership.members[lease.host_id].offers) == held
            return
        self.sequences[lease] = sequence
        self.heard[lease.host_id] = self.now
        self.detached.discard(lease.host_id)
        there = {name for name, _, definition in services if definition or name in held}
        assert set(self.membership.members[lease.host_id].offers) == there
        assert set(answer.wanted) == {name for name, _, _ in services} - there
        self.follow()

    @rule(lease=leases)
    def open_stream(self, lease):
        try:
            self.membership.open_stream(lease)
        except LeaseLost:
            assert not self.good(lease)
            return
        except RateLimited:
            assert self.streams[lease] == MAX_STREAMS
            return
        self.streams[lease] += 1
        self.detached.discard(lease.host_id)

    @rule(lease=leases)
    def close_stream(self, lease):
        self.membership.close_stream(lease)
        if self.streams[lease]:
            self.streams[lease] -= 1
            if not self.streams[lease] and self.current.get(lease.host_id) == lease:
                self.detached.add(lease.host_id)

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.9, 3.0, 10.0]))
    def time_passes(self, seconds):
        self.now += seconds
        over, spared = self.membership.expire(self.now)
        assert not spared  # three hosts are too few for that
        assert all(self.heard[host_id] + LEASE_S <= self.now for host_id in over)
        self.membership.release(self.now)
        self.follow()

    @rule()
    def grace_ends(self):
        self.membership.end_grace(self.now)
        assert self.membership.returning == 0
        self.follow()

    @rule(
        service_id=st.sampled_from([f"{host_id}/{name}" for host_id in HOSTS for name in "st"]),
        found=st.sampled_from(Health),
    )
    def probe(self, service_id, found):
        asked = service(service_id)
        self.membership.probed(asked, HealthSample(Finding(found, {}), 0.0), self.now)
        self.follow()

    @rule(service_id=st.sampled_from([f"{host_id}/s" for host_id in HOSTS]))
    def forget_probes(self, service_id):
        self.membership.unprobed(service_id, self.now)
        self.follow()

    @rule(host_id=st.sampled_from(HOSTS))
    def remove(self, host_id):
        if host_id in self.membership.members:
            self.membership.deregister(host_id, None, self.now)
            self.current.pop(host_id, None)
            self.highest.pop(host_id, None)
            self.follow()

    @invariant()
    def only_hosts_with_a_running_lease_are_online(self):
        for host_id, member in self.membership.members.items():
            if member.state is HostState.ONLINE:
                assert self.now < self.heard[host_id] + LEASE_S
                assert member.lease == self.current[host_id]

    @invariant()
    def only_services_that_are_there_have_probes(self):
        there = {found.service.service_id for _, found in self.membership.offers()}
        probed = {one for one in there if self.membership.probes.of(one)}
        assert len(self.membership.probes) == len(probed)

    @invariant()
    def the_counts_are_those_of_the_states(self):
        states = [member.state for member in self.membership.members.values()]
        assert self.membership.online == states.count(HostState.ONLINE)
        assert self.membership.returning == states.count(HostState.RETURNING)

    def told(self, member, found):
        return self.membership.well(member, found), self.membership.held_back(found)

    @invariant()
    def whoever_follows_the_changes_knows_everything(self):
        seen = {
            found.service.service_id: self.told(member, found)
            for member, found in self.membership.offers()
        }
        assert self.known == seen

    @invariant()
    def who_is_held_back_or_away_or_unwell_is_not_routed_to(self):
        for member, found in self.membership.offers():
            names = (found.service.host_id, found.service.service_id)
            held = any(self.membership.flaps.holds(name) for name in names)
            online = member.state is HostState.ONLINE
            probed = self.membership.probes.health(found.service.service_id)
            by_probe = probed in (Health.HEALTHY, Health.UNKNOWN)
            healthy = found.observation.health is Health.HEALTHY and by_probe
            assert self.membership.routable(member, found) == (online and healthy and not held)


Cluster.TestCase.settings = settings(max_examples=150, stateful_step_count=30)
TestCluster = Cluster.TestCase
