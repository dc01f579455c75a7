from hypothesis import given
from hypothesis import strategies as st

from control.inventory import Operation
from control.ranking.candidates import Candidate, order
from control.table.offered import Offered, Presence
from control.table.resources import Contents

PUTS = st.builds(
    lambda service, loaded, presence, named: (
        Candidate(service, "m", loaded, tier=int(not loaded)),
        presence,
        named,
    ),
    st.sampled_from("abcd"),
    st.booleans(),
    st.sampled_from(Presence),
    st.booleans(),
)


def put(offered, candidate, presence, named):
    return offered.put(candidate, presence, named=named)


@given(st.lists(PUTS | st.sampled_from("abcd") | st.none(), max_size=40))
def test_after_any_changes_it_is_what_sorting_all_of_it_would_be(steps):
    offered, held, told = Offered(Operation.CHAT, "m"), {}, None
    for number, step in enumerate(steps):
        if step is None:
            told = {one.service_id: one for one in offered.meant.candidates}
            offered.tell(number)
        elif isinstance(step, str):
            offered.drop(step)
            held.pop(step, None)
        else:
            put(offered, *step)
            held[step[0].service_id] = step
    named = [one for one in held.values() if one[2]] or list(held.values())
    serving = [one for one in named if one[1] is Presence.ROUTABLE]
    serving = serving or [one for one in named if one[1] is Presence.HELD_BACK]
    meant = sorted((one for one, _, _ in serving), key=order)
    contents = Contents(tuple(meant))

    assert len(offered) == len(held)
    assert offered.undecided == any(p is Presence.UNDECIDED for _, p, _ in held.values())
    assert offered.meant.candidates == meant
    assert offered.meant.loaded == sum(one.loaded for one in meant)
    by_service = {one.service_id: one for one in meant}
    assert {name: offered.serving(name) for name in "abcd" if offered.serving(name)} == by_service
    assert offered.first_serving("dcba") == max(by_service, default=None)
    assert offered.meant.contents.hash == contents.hash
    assert offered.meant.contents.size == contents.size
    if (patch := offered.patch()) is not None:
        now = {one.service_id: one for one in meant}
        assert {one.service_id: one for one in patch.upserts} == {
            name: one for name, one in now.items() if told.get(name) != one
        }
        assert set(patch.removed) == told.keys() - now.keys()


def test_there_is_no_patch_of_what_was_never_told():
    offered = Offered(Operation.CHAT, "m")
    put(offered, Candidate("a", "m", True), Presence.ROUTABLE, True)

    assert offered.patch() is None


def test_there_is_no_patch_to_others_who_are_meant_now():
    """They are all others: nothing short tells it."""
    offered = Offered(Operation.CHAT, "m")
    put(offered, Candidate("a", "m", True), Presence.HELD_BACK, True)
    offered.tell(1)
    put(offered, Candidate("b", "m", True), Presence.ROUTABLE, True)

    assert offered.patch() is None


def test_what_changed_is_forgotten_when_it_is_as_much_as_all_of_it():
    offered = Offered(Operation.CHAT, "m")
    for service in "abc":
        put(offered, Candidate(service, "m", True), Presence.ROUTABLE, True)
    offered.tell(1)
    offered.drop("a")
    assert offered.patch().removed == ("a",)
    offered.drop("b")

    assert offered.patch() is None


def test_where_nobody_serves_a_name_no_service_is_looked_at():
    """One role after another would look at all the services of a fleet."""
    services = iter(["a", "b"])

    assert Offered(Operation.CHAT, "m").first_serving(services) is None
    assert list(services) == ["a", "b"]
