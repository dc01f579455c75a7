from control.inventory import Endpoint, Operation
from control.table.resources import (
    Choice,
    ClientKey,
    Contents,
    KeySettings,
    Resource,
    RouteService,
    Target,
    service_name,
    target_name,
)

BODIES = [
    RouteService("h/s", "h", Endpoint("http", "127.0.0.1:1"), 0),
    RouteService("h/s", "h", Endpoint("http", "127.0.0.1:1"), 1),
    RouteService("h/s", "h", Endpoint("http", "127.0.0.1:2"), 0),
    Target("m", Operation.CHAT, ()),
    Target("m", Operation.EMBEDDINGS, ()),
    Target("m", Operation.CHAT, (Choice("h/s", "m", 1.0),)),
    Target("m", Operation.CHAT, (Choice("h/s", "m", 0.0),)),
    ClientKey("static:1", b"\x01"),
    KeySettings(True, b"\x01"),
    KeySettings(False, b"\x01"),
]


def test_equal_contents_have_equal_hashes_and_others_do_not():
    hashes = [Resource.of("name", body).hash for body in BODIES]

    assert hashes == [Resource.of("name", body).hash for body in BODIES]
    assert len(set(hashes)) == len(BODIES)


def test_the_name_is_part_of_the_hash():
    """Otherwise two resources that swap their contents would not change the table's hash."""
    assert Resource.of("a", BODIES[0]).hash != Resource.of("b", BODIES[0]).hash


def test_targets_that_swap_their_choices_are_another_table():
    hashes = {
        Resource.of(name, Target(name, Operation.CHAT, (Choice(service, "m", 1.0),))).hash
        for name in "ab"
        for service in "ab"
    }

    assert len(hashes) == 4


def test_contents_that_follow_changes_are_those_of_the_choices():
    one, other = Choice("a", "m", 1.0), Choice("b", "m", 0.0)
    contents = Contents().with_choice(one).with_choice(other).without_choice(one)
    target = Target("m", Operation.CHAT, (other,))

    assert Resource.of_target("name", target, contents) == Resource.of("name", target)
    assert contents.without_choice(other) == Contents()


def test_a_hash_fits_in_64_bits():
    assert all(0 <= Resource.of("a", body).hash < 2**64 for body in BODIES)


def test_names_hold_kind_operation_and_id():
    assert service_name("h1/ollama") == "service/h1/ollama"
    assert target_name(Operation.CHAT, "qwen3:14b") == "target/chat/qwen3:14b"
