"""The later policy wins, field by field."""

import json
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.inventory import Position, Reasoning, RequestPolicy
from control.policy.merge import NOTHING, merge

# Names tell the kind of their values, so that no object ever takes the place of anything else.
LEAVES = st.dictionaries(st.sampled_from("abc"), st.integers(0, 9) | st.none(), max_size=3)
OBJECTS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda leaves, objects: leaves | objects,
        LEAVES,
        st.dictionaries(st.sampled_from("XYZ"), inner, max_size=2),
    ),
    max_leaves=4,
)
TEXTS = OBJECTS.map(lambda fields: json.dumps(fields, separators=(",", ":")) if fields else "")
POLICIES = st.builds(
    RequestPolicy,
    TEXTS,
    TEXTS,
    st.sampled_from(["", "one", "two"]),
    st.sampled_from(Position),
    st.sampled_from(["", "{{ user_input }}!"]),
    st.none() | st.sampled_from(Reasoning),
    st.booleans(),
)


def merged(*policies):
    return reduce(merge, policies)


def plain(policy):
    """Return what `policy` says, whatever the order of its fields."""
    defaults, overrides = json.loads(policy.body_defaults), json.loads(policy.body_overrides)
    return (defaults, overrides, policy.system_prompt, policy.position, policy.user_template)


@pytest.mark.parametrize(
    ("earlier", "later", "result"),
    [
        ('{"a":1}', '{"b":2}', {"a": 1, "b": 2}),
        ('{"a":1}', '{"a":2}', {"a": 2}),
        ('{"a":{"x":1,"y":1}}', '{"a":{"y":2}}', {"a": {"x": 1, "y": 2}}),
        ('{"a":{"x":1}}', '{"a":null}', {"a": None}),
        ('{"a":1}', '{"a":{"x":1}}', {"a": {"x": 1}}),
        ('{"a":[1,2]}', '{"a":[3]}', {"a": [3]}),
        ('{"a":1}', "", {"a": 1}),
        ("", '{"a":1}', {"a": 1}),
    ],
)
def test_objects_are_merged_member_by_member(earlier, later, result):
    for name in ("body_defaults", "body_overrides"):
        both = merge(RequestPolicy(**{name: earlier}), RequestPolicy(**{name: later}))

        assert json.loads(getattr(both, name)) == result


def test_a_later_prompt_replaces_the_earlier_one_and_its_position():
    earlier = RequestPolicy(system_prompt="a", position=Position.APPEND)

    assert merge(earlier, RequestPolicy(system_prompt="b")) == RequestPolicy(system_prompt="b")
    assert merge(earlier, RequestPolicy(position=Position.REPLACE)) == earlier


def test_what_a_later_policy_does_not_say_stays():
    earlier = RequestPolicy(
        '{"a":1}',
        '{"b":1}',
        "prompt",
        Position.REPLACE,
        "{{ user_input }}!",
        Reasoning.PASS,
        without_tools=True,
    )

    assert merge(earlier, NOTHING) == earlier
    assert merge(NOTHING, earlier) == earlier


def test_the_later_word_on_reasoning_counts():
    strip, passed = (
        RequestPolicy(reasoning=Reasoning.STRIP),
        RequestPolicy(reasoning=Reasoning.PASS),
    )

    assert merge(strip, passed) == passed
    assert merge(passed, strip) == strip


def test_numbers_and_letters_stay_as_they_are():
    text = '{"n":123456789012345678901234567890,"x":0.1,"é":"\\u2028"}'

    both = merge(RequestPolicy(body_defaults=text), RequestPolicy(body_defaults='{"z":1}'))

    assert json.loads(both.body_defaults) == json.loads(text) | {"z": 1}
    assert "123456789012345678901234567890" in both.body_defaults


@given(POLICIES, POLICIES, POLICIES)
def test_it_does_not_matter_which_two_of_three_are_merged_first(one, two, three):
    """As long as an object stays an object: what it replaces cannot come back."""
    assert merged(one, merged(two, three)) == merged(merged(one, two), three)


@given(POLICIES)
def test_a_policy_merged_with_itself_stays_the_same(policy):
    once = merge(NOTHING, policy)

    assert merge(once, once) == once
    assert merge(once, NOTHING) == once
