"""What may stand in a request policy is told once, for all who write or read one."""

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.policy_rules import (
    MAX_BYTES,
    MAX_DEPTH,
    RESERVED,
    around_input,
    check_length,
    fields_of,
    json_of,
)
from gateway import body

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(st.text().filter(lambda name: name not in RESERVED), VALUES, max_size=5)


def nested(levels):
    """Return an object that nests so deep."""
    return {"x": nested(levels - 1)} if levels > 1 else {}


@given(FIELDS)
def test_what_is_written_is_what_is_read(fields):
    assert fields_of(json_of(fields)) == fields


@given(st.text() | st.text('{}[]":,0e-ntrue'))
def test_any_other_text_is_refused(text):
    with suppress(ValueError):
        assert fields_of(text) == json.loads(text or "{}")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([], "a mapping of fields is expected, not a list"),
        ({"x": {"y": [float("nan")]}}, "x.y[0]: nan is not finite"),
        ({"x": float("-inf")}, "x: -inf is not finite"),
        ({"x": {1: 2}}, "x: the key 1 is no text; use quotes"),
        ({"x": b"y"}, "x: a bytes has no place in JSON; use quotes"),
        ({"x": "\ud800"}, "holds U+D800, half a character"),
        (nested(MAX_DEPTH + 1), "nested deeper than 32 levels"),
        ({"model": "m"}, "'model' cannot be set: the asset that is chosen decides it"),
    ],
)
def test_what_no_body_can_hold_is_refused_by_its_place(fields, reason):
    with pytest.raises(ValueError, match=rf"^{re.escape(reason)}$"):
        json_of(fields)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "a mapping"),
        ("{", "not JSON"),
        ('{"x":NaN}', "not finite"),
        ('{"x":1e999}', "not finite"),
        ('{"x":"\\ud800"}', "half a character"),
        ('{"x":%s}' % ("9" * 5_000), "not JSON"),
        ('{"x":' * 10_000, "nested deeper"),
        (json.dumps(nested(MAX_DEPTH + 1)), "nested deeper"),
        ('{"stream":true}', "callers decide it"),
    ],
    ids=lambda value: value[:16],
)
def test_a_text_that_is_no_object_of_a_body_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        fields_of(text)


def test_the_deepest_object_is_taken():
    assert fields_of(json_of(nested(MAX_DEPTH))) == nested(MAX_DEPTH)


def test_what_callers_may_not_say_no_policy_says():
    assert set(RESERVED) > body._FORBIDDEN


def test_length_is_counted_in_bytes():
    check_length("é" * (MAX_BYTES // 2))
    with pytest.raises(ValueError, match="longer than 64 KiB"):
        check_length("é" * (MAX_BYTES // 2) + "x")


@pytest.mark.parametrize(
    ("template", "around"),
    [
        ("{{ user_input }}", ("", "")),
        ("{{user_input}}", ("", "")),
        ("a {{\tuser_input  }} b", ("a ", " b")),
        ("{{7*7}} {% if x %}{{{user_input}}}", ("{{7*7}} {% if x %}{", "}")),
        ("line\n{{ user_input }}\n", ("line\n", "\n")),
    ],
)
def test_only_the_input_is_a_placeholder(template, around):
    assert around_input(template) == around


@pytest.mark.parametrize(
    ("template", "times"),
    [
        ("", 0),
        ("{{7*7}}", 0),
        ("{{ input }}", 0),
        ("{{ user_input | upper }}", 0),
        ("{ { user_input } }", 0),
        ("{{ user_input }}{{user_input}}", 2),
    ],
)
def test_a_template_holds_the_input_once(template, times):
    with pytest.raises(ValueError, match=f"once, not {times} times"):
        around_input(template)
