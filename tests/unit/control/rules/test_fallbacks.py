from hypothesis import given
from hypothesis import strategies as st

from control.rules.fallbacks import MAX_STAND_INS, Chain, chain

ROLES = [f"r{number}" for number in range(12)]
GRAPHS = st.fixed_dictionaries({name: st.lists(st.sampled_from(ROLES)) for name in ROLES})


def recursive(role_id, fallbacks):
    """Return the order as one would write it down, for graphs that are not deep."""
    found = []

    def visit(name):
        for fallback in fallbacks[name]:
            if fallback != role_id and fallback not in found:
                found.append(fallback)
                visit(fallback)

    visit(role_id)
    return tuple(found)


def test_a_fallbacks_own_come_before_the_next_one():
    fallbacks = {"a": ["b", "c"], "b": ["d"], "c": ["e"], "d": [], "e": []}

    assert chain("a", fallbacks) == Chain(("b", "d", "c", "e"))


def test_a_role_falls_back_on_itself_and_on_nobody():
    assert chain("a", {"a": ["a"]}) == Chain((), circular=True)


def test_a_circle_is_walked_once():
    fallbacks = {"realist": ["critic"], "critic": ["realist"]}

    assert chain("realist", fallbacks) == Chain(("critic",), circular=True)
    assert chain("critic", fallbacks) == Chain(("realist",), circular=True)


def test_leading_into_a_circle_is_not_being_in_it():
    fallbacks = {"a": ["b"], "b": ["c"], "c": ["b"]}

    assert chain("a", fallbacks) == Chain(("b", "c"))


@given(GRAPHS)
def test_on_any_graph_it_ends_names_each_once_and_goes_depth_first(fallbacks):
    for name in ROLES:
        found = chain(name, fallbacks)

        assert found.role_ids == recursive(name, fallbacks)
        assert len(set(found.role_ids)) == len(found.role_ids)
        assert name not in found.role_ids
        assert not found.cut


def test_a_long_chain_is_cut():
    """10,000 roles in a circle would otherwise have 100 million stand-ins."""
    names = [f"r{number}" for number in range(10_000)]
    fallbacks = {name: [names[(number + 1) % 10_000]] for number, name in enumerate(names)}

    assert chain("r0", fallbacks) == Chain(tuple(names[1 : MAX_STAND_INS + 1]), cut=True)


def test_what_is_as_long_as_it_may_be_is_not_cut():
    names = [f"r{number}" for number in range(MAX_STAND_INS + 1)]
    fallbacks = {names[0]: names[1:] + names[1:], **{name: [] for name in names[1:]}}

    assert chain("r0", fallbacks) == Chain(tuple(names[1:]))
