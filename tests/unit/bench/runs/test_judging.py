"""An answer passes when it is visible and as it is expected to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.runs.judging import MATCHED_CHARACTERS, text_fault, vectors_fault
from bench.runs.workload import Expect


@pytest.mark.parametrize(
    ("text", "expect", "fault"),
    [
        ("anything", {}, ""),
        ("It is 42.", {"contains_any": ["41", "42"]}, ""),
        ("It is 40.", {"contains_any": ["41", "42"]}, "contains_any"),
        ("CLEO is", {"contains_any": ["cleo"]}, ""),
        ("a b", {"contains_all": ["a", "b"]}, ""),
        ("a", {"contains_all": ["a", "b"]}, "contains_all"),
        ("x = 12", {"matches": r"\d{2}$"}, ""),
        ("x = 1", {"matches": r"\d{2}$"}, "matches"),
        ("  ab  ", {"min_characters": 3}, "min_characters"),
        ("abc", {"min_characters": 3}, ""),
        ('{"a": [1]}', {"is_json": True}, ""),
        ('{"a": ', {"is_json": True}, "is_json"),
        ("[" * 100_000, {"is_json": True}, "is_json"),
        ("[NaN]", {"is_json": True}, "is_json"),
    ],
)
def test_each_rule(text, expect, fault):
    assert text_fault(text, Expect(**expect)) == fault


@given(st.text(alphabet=" \t\n\r\u2003\u200b\ufeff\u2060\x00", max_size=20))
def test_what_nobody_can_see_never_passes(text):
    assert text_fault(text, Expect()) == "empty"


def test_a_pattern_sees_only_the_beginning_of_a_long_answer():
    assert text_fault("a" * MATCHED_CHARACTERS + "b", Expect(matches="b")) == "matches"


@pytest.mark.parametrize(
    ("vectors", "expect", "fault"),
    [
        ([[1.0, 0.0]], {}, ""),
        ([], {}, "empty"),
        ([[]], {}, "empty"),
        ([[0.0, 0.0]], {}, "empty"),
        ([[1.0], [1.0, 2.0]], {}, "dimensions_differ"),
        ([[float("nan")]], {}, "not_finite"),
        ([[1.0, 2.0]], {"dimensions_at_least": 3}, "dimensions_at_least"),
        ([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], {"nearest_to_first": 1}, ""),
        ([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]], {"nearest_to_first": 1}, "nearest_to_first"),
        ([[1.0], [1.0], [1.0]], {"nearest_to_first": 1}, "nearest_to_first"),
        ([[1e-320, 0.0], [1e-320, 0.0], [0.0, 1.0]], {"nearest_to_first": 1}, ""),
        ([[1e300, 1e300], [-1e300, 1e300], [-1.0, -1.0]], {"nearest_to_first": 1}, ""),
        ([[1.7e308] * 9] * 3, {"nearest_to_first": 1}, "nearest_to_first"),
    ],
)
def test_each_rule_of_vectors(vectors, expect, fault):
    assert vectors_fault(vectors, Expect(**expect)) == fault
