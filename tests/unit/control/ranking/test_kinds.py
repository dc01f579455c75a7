import pytest

from control.inventory import Asset, Endpoint, Host, Operation, Service
from control.ranking.kinds import Kind, kinds, vocabulary
from control.ranking.roles import RoutingPolicy
from control.ranking.subject import Subject
from control.ranking.traits import traits
from tests.unit.control.ranking.trials import run, tried

WORDS = vocabulary(
    [
        RoutingPolicy(preferred_families=("Qwen3", "qwen/qwen3"), min_context=8192),
        RoutingPolicy(preferred_labels=("Fast", "gpu=a100"), min_context=4096),
    ]
)


def asset(asset_id="m", operations=(Operation.CHAT,), **fields):
    return Asset(asset_id, operations, **fields)


def read(*assets, words=WORDS, **host):
    """Return the kinds of a service's assets, and how often that pauses."""
    found = traits(
        Subject(
            Host("h", **host),
            Service("h/s", "h", Endpoint("http", "127.0.0.1:1"), assets=assets),
        )
    )
    work, pauses = kinds(found, words), 0
    while True:
        try:
            next(work)
            pauses += 1
        except StopIteration as done:
            return done.value, pauses


def chats(*assets, **host):
    return [kind.asset.asset_id for kind in read(*assets, **host)[0].get(Operation.CHAT, ())]


def test_assets_that_no_role_tells_apart_are_one_kind_and_the_smallest_id_stands_for_it():
    assert chats(asset("c"), asset("a"), asset("b", labels=("unheard",), family="llama")) == ["a"]
    assert chats(asset("b"), asset("a", loaded=True)) == ["b", "a"]
    assert chats(asset("b"), asset("qwen3")) == ["b", "qwen3"]
    assert chats(asset("qwen3"), asset("Qwen/qwen3-x")) == ["qwen3", "Qwen/qwen3-x"]
    assert chats(asset("b"), asset("a", labels=("FAST",))) == ["b", "a"]


def test_contexts_differ_by_what_roles_ask_for():
    assert chats(asset("b", context_tokens=4096), asset("a", context_tokens=8191)) == ["a"]
    assert chats(asset("b", context_tokens=4096), asset("a", context_tokens=8192)) == ["b", "a"]
    assert chats(asset("b", context_tokens=9999), asset("a")) == ["a"]


def test_a_kind_has_the_labels_of_its_host_that_roles_ask_for():
    found, _ = read(asset("Qwen/Qwen3", labels=("fast", "x")), labels={"gpu": "A100", "y": "z"})

    (kind,) = found[Operation.CHAT]
    assert kind == Kind(
        asset("Qwen/Qwen3", labels=("fast", "x")),
        families=frozenset({"qwen3", "qwen/qwen3"}),
        labels=frozenset({"fast", "gpu=a100"}),
    )


def test_each_operation_has_its_kinds_and_what_is_not_lent_is_none():
    both = asset("qwen3", (Operation.CHAT, Operation.EMBEDDINGS))
    found, _ = read(both, asset("llama"), allowed_model_families=("Qwen3",))

    assert {operation: [kind.asset for kind in some] for operation, some in found.items()} == {
        Operation.CHAT: [both],
        Operation.EMBEDDINGS: [both],
    }


def test_ten_thousand_assets_are_few_kinds_found_with_many_pauses():
    assets = [asset(f"qwen{n % 5}:{n}", context_tokens=n * 10) for n in range(10_000)]

    found, pauses = read(*assets)
    assert len(found[Operation.CHAT]) == 6  # of two families, three contexts
    assert pauses > 500


def test_a_catalog_of_many_families_makes_each_asset_a_pause():
    words = vocabulary(RoutingPolicy(preferred_families=(f"f{n}",)) for n in range(5_000))

    assert read(asset("a"), asset("b"), asset("c"), words=words)[1] == 2


def test_assets_of_which_runs_say_something_are_kinds_of_their_own():
    assets = asset("a"), asset("b"), asset("c"), asset("d")
    plain = Subject(Host("h"), Service("h/s", "h", Endpoint("http", "127.0.0.1:1"), assets=assets))
    runs = [run(asset_id="b"), run(asset_id="c", results={"pass_rate": 0.1}), run(asset_id="d")]
    work = kinds(traits(tried(plain, *runs)), WORDS)
    with pytest.raises(StopIteration) as done:
        next(work)

    # Of b and d the same is said.
    assert [kind.asset.asset_id for kind in done.value.value[Operation.CHAT]] == ["a", "b", "c"]
