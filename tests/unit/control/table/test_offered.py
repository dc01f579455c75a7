from hypothesis import given
from hypothesis import strategies as st

from control.ranking.candidates import Candidate, order
from control.table.offered import Offered, Presence
from control.table.resources import Choice, Contents

NAME = "m"
PUTS = st.builds(
    lambda service, asset, loaded, presence: (Candidate(service, asset, loaded), presence),
    st.sampled_from("abcd"),
    st.sampled_from([NAME, "other"]),
    st.booleans(),
    st.sampled_from(Presence),
)


@given(st.lists(PUTS | st.sampled_from("abcd"), max_size=40))
def test_after_any_changes_it_is_what_sorting_all_of_it_would_be(steps):
    offered, held = Offered(NAME), {}
    for step in steps:
        if isinstance(step, str):
            offered.drop(step)
            held.pop(step, None)
        else:
            offered.put(*step)
            held[step[0].service_id] = step
    named = [one for one in held.values() if one[0].asset_id == NAME]
    serving = [one for one in named or held.values() if one[1] is Presence.ROUTABLE]
    serving = serving or [one for one in named or held.values() if one[1] is Presence.HELD_BACK]
    meant = sorted((one for one, _ in serving), key=order)
    choices = [Choice(one.service_id, one.asset_id, one.score) for one in meant]
    contents = Contents()
    for choice in choices:
        contents = contents.with_choice(choice)

    assert len(offered) == len(held)
    assert offered.undecided == any(p is Presence.UNDECIDED for _, p in held.values())
    assert (offered.meant.candidates, offered.meant.choices) == (meant, choices)
    assert offered.meant.contents == contents
