"""A replica follows control's table, never shrinks before it is told, and refuses what is wrong."""

import pytest
from geniehive.v1 import routing_service_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from gateway.table import Patch, Replica, SnapshotWanted, Unusable
from tests.unit.gateway.updates import Control


def read(resource):
    if resource.key.principal_id == "bad":
        raise Unusable("it is bad")
    return resource.key.principal_id


def resource(name, value="v", number=1):
    key = pb.ClientKey(principal_id=value)
    return pb.Resource(name=name, hash=hash((name, value, number)) % 2**64, key=key)


def test_a_snapshot_then_deltas():
    control, replica = Control(), Replica(read)
    control.held = {name: resource(name) for name in "ab"}

    replica.apply(control.snapshot())
    replica.apply(control.delta([resource("b", "new"), resource("c")], ["a"]))

    assert replica.current == {"b": "new", "c": "v"}
    assert replica.identity.version == 1


def test_an_unsettled_control_takes_nothing_away():
    """It was restarted with an empty store: what it does not know may well be there."""
    control, replica = Control(), Replica(read)
    control.held = {name: resource(name) for name in "abc"}
    replica.apply(control.snapshot())
    restarted = Control(store="other", incarnation="j")
    restarted.settled = False

    replica.apply(restarted.snapshot())
    assert replica.carried == {"a": "v", "b": "v", "c": "v"}
    replica.apply(restarted.delta([resource("a", "again")], ["b"]))
    assert replica.carried | replica.current == {"a": "again", "c": "v"}

    restarted.settled = True
    replica.apply(restarted.delta())
    assert replica.carried | replica.current == {"a": "again"}


def test_one_unusable_resource_is_named_and_the_rest_applied():
    control, replica = Control(), Replica(read)
    control.held = {name: resource(name) for name in "ab"}
    replica.apply(control.snapshot())

    applied = replica.apply(control.delta([resource("a", "bad"), resource("b", "new")]))

    assert applied.unusable == {"a": "it is bad"}
    assert replica.current == {"a": "v", "b": "new"}
    assert replica.apply(control.delta([resource("a", "good")])).unusable == {}
    assert replica.current == {"a": "good", "b": "new"}


def test_an_unusable_resource_keeps_its_version_of_an_earlier_life():
    control, replica = Control(), Replica(read)
    control.held = {"a": resource("a")}
    replica.apply(control.snapshot())
    restarted = Control(incarnation="j")
    restarted.held = {"a": resource("a", "bad")}

    assert replica.apply(restarted.snapshot()).unusable == {"a": "it is bad"}
    assert replica.current == {"a": "v"}


def test_what_an_earlier_life_of_the_gateway_held_stays_until_control_is_settled():
    control, replica = Control(), Replica(read)
    control.held = {name: resource(name) for name in "ab"}

    replica.carry(control.snapshot())
    assert (replica.carried, replica.current, replica.identity) == ({"a": "v", "b": "v"}, {}, None)
    restarted = Control(incarnation="j")
    restarted.held = {"a": resource("a", "new")}
    restarted.settled = False
    replica.apply(restarted.snapshot())
    assert replica.carried | replica.current == {"a": "new", "b": "v"}
    restarted.settled = True
    replica.apply(restarted.delta())
    assert replica.carried | replica.current == {"a": "new"}
    replica.carry(control.snapshot())
    assert replica.carried == {}


def test_what_was_pushed_is_kept_as_it_came():
    control, replica = Control(), Replica(read)
    control.held = {name: resource(name) for name in "abc"}
    replica.apply(control.snapshot())
    replica.apply(control.delta([resource("b", "new"), resource("c", "bad")], ["a"]))

    assert replica.pushed == {
        "b": resource("b", "new").SerializeToString(),
        "c": resource("c").SerializeToString(),
    }
    replica.apply(control.snapshot())
    assert replica.pushed["c"] == resource("c").SerializeToString()
    assert replica.pushed.keys() == {"b", "c"}


def damage(update, how):
    match how:
        case "hash":
            update.table_hash ^= 1
        case "gap":
            update.base_version += 1
        case "life":
            update.identity.incarnation = "elsewhere"
        case "store":
            update.identity.store_id = "elsewhere"
        case "lost":
            del update.upserts[0]
        case "there and gone":
            update.tombstones.append(update.upserts[0].name)


@pytest.mark.parametrize("how", ["hash", "gap", "life", "store", "lost", "there and gone"])
def test_a_damaged_delta_changes_nothing(how):
    control, replica = Control(), Replica(read)
    control.held = {"a": resource("a")}
    replica.apply(control.snapshot())
    update = control.delta([resource("b"), resource("c")])
    damage(update, how)

    with pytest.raises(SnapshotWanted):
        replica.apply(update)

    assert replica.current == {"a": "v"}
    assert replica.identity.version == 0
    replica.apply(control.snapshot())
    assert replica.current == {"a": "v", "b": "v", "c": "v"}


def test_a_snapshot_from_the_past_is_refused():
    control, replica = Control(), Replica(read)
    old = control.snapshot()
    control.delta([resource("a")])
    replica.apply(control.snapshot())

    with pytest.raises(SnapshotWanted):
        replica.apply(old)

    assert replica.current == {"a": "v"}


def test_a_tombstone_told_twice_is_told():
    control, replica = Control(), Replica(read)
    control.held = {name: resource(name) for name in "ab"}
    replica.apply(control.snapshot())
    update = control.delta(gone=["a"])
    update.tombstones.append("a")

    replica.apply(update)

    assert replica.current == {"b": "v"}


NAMES = st.sampled_from("abcde")
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["change", "restart", "settle", "miss", "snapshot"]),
        st.dictionaries(NAMES, st.integers(0, 3), max_size=3),
        st.sets(NAMES, max_size=2),
    ),
    max_size=12,
)


@given(CHANGES)
def test_whatever_happens_a_replica_ends_with_what_control_holds(changes):
    """And until control is settled, nothing is lost that it did not call gone."""
    control, replica = Control(), Replica(read)
    replica.apply(control.snapshot())
    for number, (what, values, gone) in enumerate(changes):
        upserts = [resource(name, str(value), number) for name, value in values.items()]
        removed = [name for name in gone if name not in values]
        before = set(replica.carried | replica.current)
        if what == "restart":
            control = Control(incarnation=str(number))
            control.settled = False
            update = control.snapshot()
            removed = []
        elif what == "snapshot":
            update = control.snapshot()
            removed = []
        else:
            control.settled = control.settled or what == "settle"
            update = control.delta(upserts, removed)
        if what == "miss":
            continue
        try:
            replica.apply(update)
        except SnapshotWanted:
            replica.apply(control.snapshot())
            removed = list(before)  # some of what was missed may have been tombstones
        if not control.settled:
            assert before - set(removed) <= set(replica.carried | replica.current)
    control.settled = True
    replica.apply(control.snapshot())

    assert replica.carried == {}
    assert replica.current == {name: read(one) for name, one in control.held.items()}


def patched(name, base, value, number):
    patch = pb.TargetPatch(base_hash=base.hash, removed=[value])
    return pb.Resource(name=name, hash=resource(name, value, number).hash, target_patch=patch)


def read_parts(resource):
    """Read texts; a patch appends to the text that is held."""
    if not resource.HasField("target_patch"):
        return read(resource)
    (added,) = resource.target_patch.removed
    if added == "bad":
        raise Unusable("it is bad")
    return Patch(resource.target_patch.base_hash, [added], lambda base: base + added)


@pytest.fixture
def parted():
    control, replica = Control(), Replica(read_parts)
    control.held = {name: resource(name) for name in "ab"}
    replica.apply(control.snapshot())
    return control, replica


def test_a_patch_changes_what_is_held_and_names_the_parts(parted):
    control, replica = parted

    applied = replica.apply(control.delta([patched("a", control.held["a"], "+", 2)]))

    assert replica.current == {"a": "v+", "b": "v"}
    assert applied.names == {"a": ["+"]}
    assert replica.pushed["a"] is None

    whole = resource("a", "w")
    assert replica.apply(control.delta([whole])).names == {"a": None}
    assert replica.pushed["a"] == whole.SerializeToString()


def test_patches_of_one_resource_follow_one_another(parted):
    control, replica = parted
    for number in (2, 3):
        replica.apply(control.delta([patched("a", control.held["a"], "+", number)]))

    assert replica.current["a"] == "v++"


@pytest.mark.parametrize("name", ["a", "nobody"])
def test_a_patch_of_another_state_asks_for_a_snapshot_and_changes_nothing(parted, name):
    control, replica = parted
    before = dict(replica.current)

    with pytest.raises(SnapshotWanted):
        replica.apply(control.delta([patched(name, resource("a", "other"), "+", 2)]))

    assert replica.current == before
    assert replica.identity.version == 0


@pytest.mark.parametrize("first", ["whole", "patch"])
def test_what_cannot_be_used_is_not_patched_before_it_came_whole(parted, first):
    control, replica = parted
    bad = resource("a", "bad")
    if first == "patch":
        bad = patched("a", control.held["a"], "bad", 2)
    assert replica.apply(control.delta([bad])).unusable == {"a": "it is bad"}

    applied = replica.apply(control.delta([patched("a", control.held["a"], "+", 3)]))
    assert applied.unusable == {"a": "what it changes could not be used"}
    assert replica.current["a"] == "v"

    replica.apply(control.delta([resource("a", "w")]))
    replica.apply(control.delta([patched("a", control.held["a"], "+", 4)]))
    assert replica.current["a"] == "w+"
