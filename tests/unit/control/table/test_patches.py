"""What watchers hold is what control has, however it was told to them."""

import pytest
from geniehive.v1 import routing_service_pb2 as pb
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from control.inventory import Operation, RequestPolicy
from control.ranking.candidates import Candidate
from control.ranking.offering import Rules
from control.ranking.roles import Role, RoutingPolicy
from control.ranking.subject import Signals, Subject
from control.table.compile import Compiler, Entry
from control.table.diff import Delta
from control.table.offered import Presence
from control.table.patches import merged
from control.table.resources import Contents, Resource, Target, TargetPatch
from control.table.watch import Hub, Identity
from control.table_messages import update_message
from gateway.resources import read_resource
from gateway.table import Replica
from tests.unit.control.builders import host, service

SERVICES = [f"h{n}/s" for n in range(12)]
NAME = "target/chat/m"


class SnapshotWanted(Exception):
    """What is told does not fit to what is held."""


class Follower:
    """A watcher that does what the contract says, and nothing else."""

    def __init__(self, hub):
        self.hub = hub
        self.gateway = None  # what a real one holds beside
        self.identity = None
        self.held = {}  # whole resources by name, candidates without an order
        self.hashes = {}  # as told
        self.quarantined = set()  # names whose last good version is held
        self.join()

    def join(self):
        held = self.identity and Identity("store", "life", self.identity.version)
        self.watcher = self.hub.join("g", held)
        self.patched = 0
        # Control does not know what this could not use when it comes back.
        self.may_misfit = bool(self.quarantined)

    def receive(self, refused=()):
        """Take the next update, if one is due, without what cannot be used of it."""
        update = self.hub.due(self.watcher)
        if update is None:
            return False
        message = update_message(update)
        try:
            unusable = self.apply(message, refused)
            if self.gateway is not None:
                assert self.gateway.apply(message).unusable == {}
        except SnapshotWanted:
            assert self.may_misfit
            self.may_misfit = False
            self.watcher.acknowledge({}, snapshot_wanted=True)
        else:
            self.watcher.acknowledge(dict.fromkeys(unusable, "odd"), snapshot_wanted=False)
            assert self.identity.version == self.hub.identity.version
            self.agrees()
        return True

    def apply(self, update, refused):
        hashes = {} if update.snapshot else dict(self.hashes)
        for name in update.tombstones:
            hashes.pop(name, None)
        hashes |= {one.name: one.hash for one in update.upserts}
        table_hash = 0
        for one in hashes.values():
            table_hash ^= one
        if table_hash != update.table_hash:
            raise SnapshotWanted
        if not update.snapshot and update.base_version != self.identity.version:
            raise SnapshotWanted
        fresh = {}
        for one in update.upserts:
            if one.HasField("target_patch"):
                assert not update.snapshot
                fresh[one.name] = self.patch(one.name, one.target_patch)
            else:
                fresh[one.name] = whole(one)
        unusable = set(refused) & fresh.keys()
        if update.snapshot:
            self.held = {name: one for name, one in self.held.items() if name in unusable}
        self.held |= {name: one for name, one in fresh.items() if name not in unusable}
        for name in update.tombstones:
            self.held.pop(name, None)
        self.quarantined -= fresh.keys() | set(update.tombstones)
        self.quarantined |= unusable
        self.hashes, self.identity = hashes, update.identity
        return unusable

    def patch(self, name, patch):
        if self.hashes.get(name) != patch.base_hash or name in self.quarantined:
            raise SnapshotWanted
        self.patched += 1
        rest, candidates = self.held[name]
        candidates = dict(candidates)
        for service_id in patch.removed:
            candidates.pop(service_id, None)
        candidates |= {one.service_id: one.SerializeToString() for one in patch.upserts}
        return rest, candidates

    def agrees(self):
        """Hold what control has, but for what could not be used."""
        told = update_message(snapshot(self.hub)).upserts
        table = {one.name: whole(one) for one in told}
        assert self.hashes == {name: one.hash for name, one in self.hub.table.items()}
        for name in table.keys() - self.quarantined:
            assert self.held[name] == table[name]
        assert self.held.keys() <= table.keys()
        if self.gateway is not None:
            assert self.gateway.current.keys() == table.keys()
            for one in told:
                if one.HasField("target"):
                    assert self.gateway.current[one.name] == read_resource(one)


def whole(resource):
    """Return a resource as one holds it: what is told of it, and its candidates by service."""
    rest = pb.Resource()
    rest.CopyFrom(resource)
    rest.hash = 0
    candidates = {one.service_id: one.SerializeToString() for one in rest.target.candidates}
    if rest.HasField("target"):
        del rest.target.candidates[:]
    return rest.SerializeToString(), candidates


def snapshot(hub):
    """Return everything that a table holds."""
    watcher = hub.join("snapshot", None)
    hub.leave(watcher)
    return hub.due(watcher)


def rules(prompt, names=("a", "b"), strategy=""):
    policy = RequestPolicy(system_prompt=prompt) if prompt else None
    routing = RoutingPolicy(strategy=strategy)
    return Rules(
        {name: Role(name, Operation.CHAT, routing=routing, request_policy=policy) for name in names}
    )


RULES = [
    rules(""),
    rules("x"),
    rules("x", strategy="scored"),
    rules("x", ("b", "c")),
    rules("y"),
    Rules(),
]


class Watching(RuleBasedStateMachine):
    """Services and rules change as they like, and two watchers follow at their own pace."""

    def __init__(self):
        super().__init__()
        self.compiler = Compiler()
        self.compiler.settle()
        self.hub = Hub("store", "life", settled=True)
        self.followers = [Follower(self.hub), Follower(self.hub)]
        self.followers[0].gateway = Replica(read_resource)
        for service_id in SERVICES:
            self.take(service_id, Presence.ROUTABLE, 0.2)
        self.make(10**9)

    def take(self, service_id, presence, latency):
        offered = service(service_id)
        subject = Subject(host(offered.host_id), offered, Signals(latency))
        self.compiler.take(service_id, Entry(subject, presence))

    @rule(
        changes=st.lists(
            st.tuples(
                st.sampled_from(SERVICES),
                st.sampled_from([*Presence, Presence.ROUTABLE, Presence.ROUTABLE]),
                st.sampled_from([0.2, 0.7, 2.0]),
            ),
            max_size=3,
        ),
        gone=st.none() | st.sampled_from(SERVICES),
    )
    def change(self, changes, gone):
        for one in changes:
            self.take(*one)
        if gone:
            self.compiler.take(gone, None)
        self.make(10**9)

    @rule(which=st.sampled_from(RULES), limit=st.sampled_from([1, 10**9]))
    def follow_rules(self, which, limit):
        self.compiler.rule(which)
        self.make(limit)

    @rule(limit=st.integers(1, 20))
    def make(self, limit):
        self.hub.publish(self.compiler.make(self.hub.table, limit), settled=True)

    @rule(who=st.sampled_from([0, 1]), refused=st.sets(st.sampled_from([NAME, "target/chat/a"])))
    def receive(self, who, refused):
        self.followers[who].receive(refused if who else ())

    @rule(who=st.sampled_from([0, 1]))
    def rejoin(self, who):
        self.hub.leave(self.followers[who].watcher)
        self.followers[who].join()

    @invariant()
    def every_policy_that_a_candidate_refers_to_is_there(self):
        used = {
            f"policy/{one.policy_id:016x}"
            for resource in update_message(snapshot(self.hub)).upserts
            for one in resource.target.candidates
            if one.policy_id
        }
        policies = {name for name in self.hub.table if name.startswith("policy/")}
        assert used <= policies
        if not self.compiler.waiting:
            assert len(policies) <= 2

    def teardown(self):
        while self.compiler.waiting:
            self.make(10**9)
        for follower in self.followers:
            for _ in range(5):
                follower.receive()
            assert self.hub.due(follower.watcher) is None
            follower.agrees()


Watching.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestWatching = Watching.TestCase


@pytest.fixture
def hub():
    """A table with one large target, that a compiler made."""
    hub = Hub("store", "life", settled=True)
    hub.publish(Delta((target(range(100)),)), settled=True)
    return hub


def target(numbers, changed=(), base=None):
    """Return a target with services of these numbers; what it has been before is `base`."""
    candidates = tuple(Candidate(f"h{n}/s", "m", True, 0.5 * (n in changed)) for n in numbers)
    body = Target("m", Operation.CHAT, candidates)
    patch = None
    if base is not None:
        upserts = tuple(one for one in candidates if one not in base.body.candidates)
        had = {one.service_id for one in base.body.candidates}
        patch = TargetPatch(base.hash, upserts, tuple(had - {one.service_id for one in candidates}))
    return Resource.of_target(NAME, body, Contents(candidates), patch)


def change(hub, numbers, changed=()):
    hub.publish(Delta((target(numbers, changed, hub.table[NAME]),)), settled=True)


def test_one_changed_candidate_is_told_by_itself(hub):
    follower = Follower(hub)
    follower.receive()
    change(hub, range(100), {7})
    update = hub.due(follower.watcher)

    assert [one.service_id for one in update.delta.upserts[0].body.upserts] == ["h7/s"]
    assert update.delta.size < 300


def test_several_changes_are_told_together_to_who_was_slow(hub):
    follower = Follower(hub)
    follower.receive()
    change(hub, range(100), {7})
    change(hub, range(99), {7, 8})
    change(hub, range(98), {8})
    patch = hub.due(follower.watcher).delta.upserts[0].body

    assert {one.service_id for one in patch.upserts} == {"h7/s", "h8/s"}
    assert set(patch.removed) == {"h98/s", "h99/s"}


def test_what_was_so_long_ago_that_patches_are_longer_is_told_whole(hub):
    follower = Follower(hub)
    follower.receive()
    for n in range(60):
        change(hub, range(100), range(n))

    assert isinstance(hub.due(follower.watcher).delta.upserts[0].body, Target)


def test_who_could_not_use_a_target_gets_the_whole_one_next_and_others_a_patch(hub):
    good, bad = Follower(hub), Follower(hub)
    good.receive()
    bad.receive(refused={NAME})
    change(hub, range(100), {7})
    good.receive()
    bad.receive()

    assert (good.patched, bad.patched) == (1, 0)
    assert bad.quarantined == set()
    change(hub, range(100), {8})
    bad.receive()
    assert bad.patched == 1


def test_who_cannot_use_a_patch_gets_everything_next(hub):
    """It came back with a target that it could not use, and control does not know."""
    follower = Follower(hub)
    follower.receive()
    change(hub, range(100), {7})
    hub.due(follower.watcher)
    follower.watcher.acknowledge({NAME: "what it changes could not be used"}, snapshot_wanted=False)
    update = hub.due(follower.watcher)
    assert (update.base, update.delta.upserts[0].body) == (None, hub.table[NAME].body)

    follower.watcher.acknowledge({NAME: "still odd"}, snapshot_wanted=False)
    assert hub.due(follower.watcher) is None


def test_a_new_target_of_an_old_name_is_told_whole(hub):
    follower = Follower(hub)
    follower.receive()
    hub.publish(Delta((), (NAME,)), settled=True)
    hub.publish(Delta((target(range(100), {7}),)), settled=True)

    assert isinstance(hub.due(follower.watcher).delta.upserts[0].body, Target)


def test_a_patch_that_builds_on_something_else_is_never_told(hub):
    """As when a change that was made never came into the table."""
    follower = Follower(hub)
    follower.receive()
    lost = target(range(100), {7})
    hub.publish(Delta((target(range(100), {7, 8}, lost),)), settled=True)

    assert isinstance(hub.due(follower.watcher).delta.upserts[0].body, Target)


def test_patches_that_follow_each_other_are_one():
    a, b, c = (Candidate(one, "m", True) for one in "abc")
    patches = [TargetPatch(1, (a, b), ("c",)), TargetPatch(2, (c,), ("a",))]

    assert merged(patches) == TargetPatch(1, (c, b), ("a",))
