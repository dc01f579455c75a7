from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.inventory import Health
from control.probing.hysteresis import UNPROBED, Standing, after

LETTERS = {
    "h": Health.HEALTHY,
    "u": Health.UNHEALTHY,
    "l": Health.LOADING,
    "?": Health.UNKNOWN,
}
PROBES = st.lists(st.sampled_from(Health), max_size=40)


def walk(found, start=UNPROBED):
    return reduce(after, found, start)


@pytest.mark.parametrize(
    ("start", "found", "health"),
    [
        ("?", "h", "?"),
        ("?", "hh", "h"),
        ("?", "uu", "u"),
        ("?", "huhuhu", "?"),
        ("h", "u", "h"),
        ("h", "uhuhuhu", "h"),
        ("h", "uu", "u"),
        ("h", "ul", "l"),
        ("h", "lu", "u"),
        ("h", "??", "?"),
        ("h", "?u", "h"),
        ("h", "u?", "h"),
        ("h", "?u?u?l", "h"),
        ("u", "h", "u"),
        ("u", "huhuhuhu", "u"),
        ("u", "hh", "h"),
        ("u", "l", "u"),
        ("u", "ll", "l"),
        ("l", "hh", "h"),
    ],
)
def test_two_in_a_row_change_it(start, found, health):
    assert walk(map(LETTERS.get, found), Standing(LETTERS[start])).health is LETTERS[health]


@given(PROBES)
def test_what_holds_was_found_twice_in_a_row_and_nothing_else_since(found):
    def meaning(health):
        return "unwell" if health in (Health.UNHEALTHY, Health.LOADING) else health.value

    meanings = [meaning(one) for one in found]
    runs = [first for first, second in pairwise(meanings) if first == second]

    assert meaning(walk(found).health) == (runs[-1] if runs else "unknown")


@given(PROBES)
def test_what_holds_was_found_unless_nothing_does(found):
    assert walk(found).health in {*found, Health.UNKNOWN}
