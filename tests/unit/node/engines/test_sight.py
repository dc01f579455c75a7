"""How far the words of a server are trusted."""

import pytest

from node.engines.sight import MAX_CONCURRENCY, MAX_NAME_CHARACTERS, name, slots


@pytest.mark.parametrize("text", ["m", "a b", "é:1", "x" * MAX_NAME_CHARACTERS])
def test_a_name_is_taken_as_it_is(text):
    assert name(text) == text


@pytest.mark.parametrize(
    "value", ["", " ", " m", "m ", "m\n", "a\x00b", "x" * (MAX_NAME_CHARACTERS + 1), 7, None, ["m"]]
)
def test_what_cannot_be_a_name_is_none(value):
    assert name(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), (4, 4), (4.0, 4), (2**31 - 1, MAX_CONCURRENCY), (-1, None), ("4", None), (None, None)],
)
def test_slots_are_a_number_that_control_takes(value, expected):
    assert slots(value) == expected
