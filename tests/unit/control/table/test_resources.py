from dataclasses import replace

import pytest
from geniehive.v1 import routing_service_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from control.api.priorities import Priority, Standing
from control.api.strategies import Strategy
from control.inventory import Endpoint, Operation, Position, RequestPolicy
from control.policy.effective import policy_id
from control.ranking.candidates import Candidate
from control.table.diff import Delta
from control.table.resources import (
    ClientKey,
    Contents,
    Dispatch,
    KeySettings,
    Resource,
    RoomSettings,
    RoutePolicy,
    RouteService,
    Target,
    TargetPatch,
    policy_name,
    service_name,
    target_name,
)
from control.table.watch import Identity, Update
from control.table_messages import update_message

POLICY = RequestPolicy(system_prompt="Be brief.")
ONE = Candidate("h/s", "m", True, 0.5, 1, 0.25, POLICY)
# All that is told of a candidate, another way each.
OTHERS = [
    replace(ONE, service_id="h/t"),
    replace(ONE, asset_id="n"),
    replace(ONE, score=0.6),
    replace(ONE, tier=2),
    replace(ONE, runtime=0.26),
    replace(ONE, policy=None),
    replace(ONE, policy=RequestPolicy(system_prompt="Be long.")),
    replace(ONE, absent=True),
]
DISPATCHES = [
    Dispatch(),
    Dispatch(Strategy.SCORED),
    Dispatch(role=True),
    Dispatch(stand_ins=("a",)),
    Dispatch(stand_ins=("a", "b")),
    Dispatch(queue_steps=((1, 0.1),)),
    Dispatch(queue_steps=((2, 0.1),)),
    Dispatch(priority=Priority.LOW),
    Dispatch(priority=Priority.HIGH),
]
BODIES = [
    RouteService("h/s", "h", Endpoint("http", "127.0.0.1:1"), 0),
    RouteService("h/s", "h", Endpoint("http", "127.0.0.1:1"), 1),
    RouteService("h/s", "h", Endpoint("http", "127.0.0.1:2"), 0),
    RouteService("h/s", "h", Endpoint("http", "127.0.0.1:1"), 0, api_key="one"),
    RouteService("h/s", "h", Endpoint("http", "127.0.0.1:1"), 0, api_key="two"),
    RouteService("h/s", "h", Endpoint("http", "127.0.0.1:1"), 0, loaded_assets=1),
    Target("m", Operation.CHAT, ()),
    Target("m", Operation.EMBEDDINGS, ()),
    *(Target("m", Operation.CHAT, (one,)) for one in (ONE, *OTHERS)),
    *(Target("m", Operation.CHAT, (ONE,), dispatch) for dispatch in DISPATCHES[1:]),
    RoutePolicy(1, POLICY),
    RoutePolicy(1, replace(POLICY, position=Position.APPEND)),
    RoomSettings(True, Priority.NORMAL, Priority.HIGH),
    RoomSettings(False, Priority.NORMAL, Priority.HIGH),
    RoomSettings(True, Priority.LOW, Priority.HIGH),
    RoomSettings(True, Priority.NORMAL, Priority.NORMAL),
    ClientKey("static:1", b"\x01"),
    ClientKey("static:1", b"\x01", Standing(usual=Priority.LOW)),
    ClientKey("static:1", b"\x01", Standing(highest=Priority.LOW)),
    KeySettings(True, b"\x01"),
    KeySettings(False, b"\x01"),
]


def test_equal_contents_have_equal_hashes_and_others_do_not():
    hashes = [Resource.of("name", body).hash for body in BODIES]

    assert hashes == [Resource.of("name", body).hash for body in BODIES]
    assert len(set(hashes)) == len(BODIES)


def test_the_key_of_an_engine_does_not_show():
    keyed = RouteService("h/s", "h", Endpoint("http", "127.0.0.1:1"), 0, api_key="canary")

    assert "canary" not in repr(Resource.of("service/h/s", keyed))


def test_whether_an_asset_is_loaded_is_told_by_its_tier_alone():
    """Else every sleep of a model would be an update that says nothing."""
    bodies = [Target("m", Operation.CHAT, (replace(ONE, loaded=loaded),)) for loaded in (1, 0)]

    assert len({Resource.of("name", body).hash for body in bodies}) == 1


def test_the_name_is_part_of_the_hash():
    """Otherwise two resources that swap their contents would not change the table's hash."""
    assert Resource.of("a", BODIES[0]).hash != Resource.of("b", BODIES[0]).hash


def test_targets_that_swap_their_candidates_are_another_table():
    hashes = {
        Resource.of(name, Target(name, Operation.CHAT, (Candidate(service, "m", True),))).hash
        for name in "ab"
        for service in "ab"
    }

    assert len(hashes) == 4


def test_contents_that_follow_changes_are_those_of_the_candidates():
    contents = Contents((ONE,))
    contents.add(OTHERS[0])
    contents.remove(ONE)
    target = Target("m", Operation.CHAT, (OTHERS[0],))

    assert Resource.of_target("name", target, contents) == Resource.of("name", target)
    contents.remove(OTHERS[0])
    assert (contents.hash, contents.size) == (0, 0)


def test_a_hash_fits_in_64_bits():
    assert all(0 <= Resource.of("a", body).hash < 2**64 for body in BODIES)


def test_a_target_has_a_patch_where_that_is_much_shorter():
    many = tuple(replace(ONE, service_id=f"h/{n}") for n in range(100))
    target = Target("m", Operation.CHAT, many)
    patches = [TargetPatch(7, many[:count], ()) for count in (1, 30, 70)]
    made = [Resource.of_target("n", target, Contents(many), patch).patch for patch in patches]

    assert [one and one.body for one in made] == [*patches[:2], None]
    assert made[0].hash == Resource.of("n", target).hash
    assert made[0].size < 300


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=200)
CANDIDATES = st.builds(
    Candidate,
    TEXTS,
    TEXTS,
    st.booleans(),
    st.floats(0, 1),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(0, 1),
    st.none() | st.builds(RequestPolicy, system_prompt=TEXTS),
)


@given(
    TEXTS,
    st.lists(CANDIDATES, max_size=5),
    st.lists(TEXTS, max_size=5),
    st.lists(st.tuples(st.integers(0, 2**31 - 1), st.floats(0, 1)), max_size=5),
)
def test_no_message_is_longer_than_its_size(name, candidates, names, steps):
    dispatch = Dispatch(Strategy.POWER_OF_TWO, True, tuple(names), tuple(steps))
    policies = [one.policy for one in candidates if one.policy]
    bodies = [
        Target(name, Operation.TRANSCRIPTION, tuple(candidates), dispatch),
        *(RoutePolicy(policy_id(policy), policy) for policy in policies),
    ]
    for body in bodies:
        resource = Resource.of(f"target/transcription/{name}", body)
        update = Update(Identity("", "", 0), 0, False, Delta((resource,)), 0)
        assert update_message(update).upserts[0].ByteSize() <= resource.size


@given(st.lists(CANDIDATES, max_size=3), st.lists(TEXTS, max_size=5), TEXTS)
def test_no_patch_is_longer_than_its_size(upserts, removed, name):
    whole = tuple(Candidate(f"h/{n}", "m", True) for n in range(100))
    patch = TargetPatch(2**64 - 1, tuple(upserts), tuple(removed))
    target = Target(name, Operation.CHAT, whole)
    made = Resource.of_target(name, target, Contents(whole), patch).patch
    if made is not None:
        update = Update(Identity("", "", 0), 0, False, Delta((made,)), 0)
        assert update_message(update).upserts[0].ByteSize() <= made.size


def test_names_hold_kind_operation_and_id():
    assert service_name("h1/ollama") == "service/h1/ollama"
    assert target_name(Operation.CHAT, "qwen3:14b") == "target/chat/qwen3:14b"
    assert policy_name(POLICY) == f"policy/{policy_id(POLICY):016x}"


@pytest.mark.parametrize("dispatch", DISPATCHES)
def test_how_a_target_is_dispatched_is_told(dispatch):
    body = Target("m", Operation.CHAT, (ONE,), dispatch)
    update = Update(Identity("", "", 0), 0, False, Delta((Resource.of("n", body),)), 0)
    told = update_message(update).upserts[0].target

    assert told.strategy != 0
    assert told.role == dispatch.role
    assert tuple(told.fallback_roles) == dispatch.stand_ins
    steps = tuple((step.queue_depth, step.penalty) for step in told.queue_steps)
    assert steps == dispatch.queue_steps
    assert told.candidates[0].policy_id == policy_id(POLICY)


def told(body):
    """Return the message about a resource with this body."""
    delta = Delta((Resource.of("name", body),))
    (message,) = update_message(Update(Identity("s", "i", 1), None, True, delta, 0)).upserts
    return message


def test_how_requests_wait_is_told():
    room = told(RoomSettings(True, Priority.LOW, Priority.NORMAL)).room

    assert room.waiting
    assert (room.priority, room.highest_priority) == (pb.PRIORITY_LOW, pb.PRIORITY_NORMAL)
    # What is off is told, too: a body without anything would be none.
    assert told(RoomSettings(False, Priority.LOW, Priority.LOW)).WhichOneof("body") == "room"


def test_priorities_of_keys_and_roles_are_told_where_there_are_any():
    key = told(ClientKey("static:1", b"1", Standing(Priority.LOW, Priority.NORMAL))).key
    target = told(Target("m", Operation.CHAT, (), Dispatch(priority=Priority.HIGH))).target

    assert (key.priority, key.highest_priority) == (pb.PRIORITY_LOW, pb.PRIORITY_NORMAL)
    assert target.priority == pb.PRIORITY_HIGH
    assert told(ClientKey("static:1", b"1")).key.priority == pb.PRIORITY_UNSPECIFIED
    assert told(Target("m", Operation.CHAT, ())).target.priority == pb.PRIORITY_UNSPECIFIED


def test_what_is_in_memory_is_told():
    service = RouteService("h/s", "h", Endpoint("http", "127.0.0.1:1"), 0, loaded_assets=2)
    (candidate,) = told(Target("m", Operation.CHAT, (replace(ONE, absent=True),))).target.candidates

    assert told(service).service.loaded_asset_count == 2
    assert candidate.absent
