"""When the owner of a machine lends it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.machine.policy import Facts, forbidden, unknown
from node.state import Contribution

EVERYTHING = Contribution(idle_only=True, ac_power_only=True, thermal_ceiling_celsius=85.0)
FINE = Facts(True, 60.0, 0.01, 10_000.0)


@pytest.mark.parametrize(
    ("policy", "facts", "why"),
    [
        (Contribution(), Facts(False, 120.0, 1.0, 0.0), ""),
        (EVERYTHING, Facts(), ""),
        (EVERYTHING, FINE, ""),
        (Contribution(ac_power_only=True), Facts(False), "on battery; ac_power_only"),
        (
            Contribution(thermal_ceiling_celsius=85.0),
            Facts(temperature_celsius=85.5),
            "hotter than 85 °C; thermal_ceiling_c",
        ),
        (
            Contribution(idle_only=True),
            Facts(untouched_seconds=2.0),
            "somebody is at it; idle_only",
        ),
        (
            Contribution(idle_only=True),
            Facts(others_utilization=0.5, untouched_seconds=900.0),
            "other programs use it; idle_only",
        ),
    ],
    ids=["no-policy", "nothing-known", "fine", "battery", "hot", "touched", "used"],
)
def test_what_forbids(policy, facts, why):
    assert forbidden(policy, facts) == why


@pytest.mark.parametrize(
    ("beyond", "between"),
    [
        (Facts(temperature_celsius=90.0), Facts(temperature_celsius=83.0)),
        (Facts(others_utilization=0.3), Facts(others_utilization=0.15)),
        (Facts(untouched_seconds=1.0), Facts(others_utilization=0.15, untouched_seconds=301.0)),
    ],
    ids=["heat", "use", "touch"],
)
def test_between_two_bounds_it_stays_what_it_was(beyond, between):
    assert forbidden(EVERYTHING, between) == ""
    assert forbidden(EVERYTHING, between, forbidden(EVERYTHING, beyond)) != ""


@pytest.mark.parametrize(
    ("beyond", "then"),
    [
        (Facts(on_ac_power=False), Facts(True, 83.0, 0.15)),
        (Facts(temperature_celsius=90.0), Facts(True, 60.0, 0.15)),
        (Facts(others_utilization=0.3), Facts(True, 83.0, 0.05)),
    ],
    ids=["battery", "heat", "use"],
)
def test_what_forbade_for_one_reason_forbids_for_no_other(beyond, then):
    assert forbidden(EVERYTHING, then, forbidden(EVERYTHING, beyond)) == ""


@given(
    st.lists(
        st.builds(
            Facts,
            st.sampled_from([None, True]),
            st.none() | st.floats(20, 84.9),
            st.none() | st.floats(0, 0.199),
            st.none() | st.floats(300, 1e6),
        ),
        max_size=20,
    )
)
def test_what_never_passes_a_bound_never_forbids(readings):
    before = ""
    for facts in readings:
        before = forbidden(EVERYTHING, facts, before)
        assert before == ""


def test_what_nobody_can_tell_is_told():
    assert unknown(EVERYTHING, FINE) == []
    assert unknown(Contribution(), Facts()) == []
    assert unknown(EVERYTHING, Facts()) == [
        "ac_power_only: no battery is found, so that it forbids nothing",
        "thermal_ceiling_c: no temperature is found, so that it forbids nothing",
    ]
