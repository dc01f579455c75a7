"""Policies reach bodies as they are written, and nothing else of a body changes."""

import json
from contextlib import suppress

import msgspec
import pytest
from geniehive.v1 import inventory_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from control.api.errors import BadRequest, InvalidValue
from gateway.body import parse
from gateway.shaping import TOOLS, read

CHAT = {"model": "role", "messages": [{"role": "user", "content": "hi"}]}


def shaper(**fields):
    texts = {
        name: json.dumps(value) if name.startswith("body_") else value
        for name, value in fields.items()
    }
    return read(pb.RequestPolicy(**texts))


def shaped(body, **fields):
    """Return `body`, JSON or an object of it, shaped by the policy of `fields`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return json.loads(shaper(**fields).shaped(raw, b'"asset"'))


def members(raw):
    """Return the bytes of each member of an object."""
    found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return {name: bytes(value) for name, value in found.items()}


@pytest.mark.parametrize(
    ("theirs", "ours", "sent"),
    [
        ({}, {"t": 0.2}, {"t": 0.2}),
        ({"t": 1}, {"t": 0.2}, {"t": 1}),
        ({"t": None}, {"t": 0.2}, {"t": None}),
        ({"k": {"a": 1}}, {"k": {"a": 2, "b": 2}}, {"k": {"a": 1, "b": 2}}),
        ({"k": {"a": {"x": 1}}}, {"k": {"a": {"y": 2}}}, {"k": {"a": {"x": 1, "y": 2}}}),
        ({"k": 1}, {"k": {"a": 2}}, {"k": 1}),
        ({"k": None}, {"k": {"a": 2}}, {"k": None}),
        ({"k": {}}, {"k": 2}, {"k": {}}),
        ({"k": [1]}, {"k": [2]}, {"k": [1]}),
        ({}, {"__proto__": {"x": 1}, "constructor": 1}, {"__proto__": {"x": 1}, "constructor": 1}),
    ],
)
def test_defaults_fill_only_what_the_caller_does_not_send(theirs, ours, sent):
    assert shaped(theirs | CHAT, body_defaults=ours) == sent | CHAT | {"model": "asset"}


@pytest.mark.parametrize(
    ("theirs", "ours", "sent"),
    [
        ({}, {"t": 0.2}, {"t": 0.2}),
        ({"t": 1}, {"t": 0.2}, {"t": 0.2}),
        ({"t": 1}, {"t": None}, {"t": None}),
        ({"k": {"a": 1, "c": 1}}, {"k": {"a": 2}}, {"k": {"a": 2, "c": 1}}),
        ({"k": {"a": {"x": 1}}}, {"k": {"a": {"y": 2}}}, {"k": {"a": {"x": 1, "y": 2}}}),
        ({"k": None}, {"k": {"a": 2}}, {"k": {"a": 2}}),
        ({"k": {"a": 1}}, {"k": {"a": {"x": 2}}}, {"k": {"a": {"x": 2}}}),
        ({"k": {"a": 1}}, {"k": [2]}, {"k": [2]}),
    ],
)
def test_overrides_win_over_the_caller(theirs, ours, sent):
    assert shaped(theirs | CHAT, body_overrides=ours) == sent | CHAT | {"model": "asset"}


def test_overrides_win_over_defaults():
    body = shaped({}, body_defaults={"k": {"a": 1, "b": 1}}, body_overrides={"k": {"a": 2}})

    assert body["k"] == {"a": 2, "b": 1}


def test_tools_of_the_caller_are_left_out():
    body = CHAT | {name: ["x"] for name in TOOLS} | {"toolbox": 1}

    assert shaped(body, without_tools=True) == CHAT | {"model": "asset", "toolbox": 1}


def test_template_and_prompt_are_applied_together():
    body = shaped(CHAT, user_template="Q: {{ user_input }}", system_prompt="Guide.")

    assert body["messages"] == [
        {"role": "system", "content": "Guide."},
        {"role": "user", "content": "Q: hi"},
    ]


@pytest.mark.parametrize(
    ("position", "content"),
    [
        (pb.SYSTEM_PROMPT_POSITION_UNSPECIFIED, "P\n\nX"),
        (pb.SYSTEM_PROMPT_POSITION_PREPEND, "P\n\nX"),
        (pb.SYSTEM_PROMPT_POSITION_APPEND, "X\n\nP"),
        (pb.SYSTEM_PROMPT_POSITION_REPLACE, "P"),
    ],
)
def test_the_prompt_stands_where_the_policy_says(position, content):
    body = {"messages": [{"role": "system", "content": "X"}]}

    sent = shaped(body, system_prompt="P", system_prompt_position=position)

    assert sent["messages"] == [{"role": "system", "content": content}]


@pytest.mark.parametrize(
    "policy", [{"system_prompt": "P"}, {"user_template": "Q: {{ user_input }}"}]
)
def test_a_prompt_needs_messages(policy):
    with pytest.raises(InvalidValue, match="'messages' is missing") as refused:
        shaped({"model": "role"}, **policy)

    assert refused.value.param == "messages"


def test_any_body_takes_fields():
    assert shaped({"model": "e", "input": ["a"]}, body_defaults={"dimensions": 8}) == {
        "model": "asset",
        "input": ["a"],
        "dimensions": 8,
    }


@pytest.mark.parametrize(
    ("policy", "splices", "strip"),
    [
        (pb.RequestPolicy(), True, None),
        (pb.RequestPolicy(reasoning=pb.REASONING_STRIP), True, True),
        (pb.RequestPolicy(reasoning=pb.REASONING_PASS), True, False),
        (pb.RequestPolicy(user_template="{{user_input}}"), True, None),
        (pb.RequestPolicy(body_defaults="{}", body_overrides="{ }"), True, None),
        (pb.RequestPolicy(user_template="{{ user_input }}\n"), False, None),
        (pb.RequestPolicy(body_defaults='{"x":null}'), False, None),
        (pb.RequestPolicy(body_overrides='{"x":1}'), False, None),
        (pb.RequestPolicy(system_prompt="P", reasoning=pb.REASONING_PASS), False, False),
        (pb.RequestPolicy(without_tools=True), False, None),
    ],
)
def test_a_policy_that_changes_no_body_lets_the_model_be_spliced(policy, splices, strip):
    found = read(policy)

    assert (found.splices, found.strip) == (splices, strip)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (pb.RequestPolicy(body_defaults="[]"), "body_defaults: a mapping"),
        (pb.RequestPolicy(body_defaults="{"), "body_defaults: not JSON"),
        (pb.RequestPolicy(body_overrides='{"api_base":"x"}'), "body_overrides: 'api_base'"),
        (pb.RequestPolicy(body_overrides='{"x":1e999}'), "body_overrides: x: inf"),
        (pb.RequestPolicy(user_template="{{7*7}}"), "user_template: "),
        (pb.RequestPolicy(system_prompt_position=9), "system_prompt_position 9 is not known"),
        (pb.RequestPolicy(reasoning=9), "reasoning 9 is not known"),
    ],
)
def test_a_policy_that_cannot_be_applied_is_refused_by_its_field(policy, said):
    with pytest.raises(ValueError, match=said):
        read(policy)


def test_policies_merged_of_several_may_be_longer_than_one():
    assert not shaper(body_defaults={"x": "x" * 200_000}).splices


def test_of_equal_keys_the_last_one_counts():
    raw = b'{"model":"m","t":1,"k":{"a":1},"k":{"b":1},"t":null}'

    assert shaped(raw, body_defaults={"t": 2, "k": {"a": 2}}) == {
        "model": "asset",
        "t": None,
        "k": {"b": 1, "a": 2},
    }


def test_values_are_sent_as_they_are_written():
    body = b'{"n":123456789012345678901234567890,"f":1e2,"s":"\\u00e9\\/","o":{ "x" : 1.0 }}'

    sent = members(shaper(body_defaults={"t": 1}).shaped(body, b'"a\\u0062"'))

    assert sent == members(body) | {"t": b"1", "model": b'"a\\u0062"'}


def test_values_of_a_policy_are_sent_as_they_are_written():
    policy = pb.RequestPolicy(body_defaults='{"f":1.50,"s":"\\u00e9","n":98765432109876543210987}')

    sent = members(read(policy).shaped(b"{}", b'"m"'))

    assert sent == members(policy.body_defaults.encode()) | {"model": b'"m"'}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
# Some names that both sides use, and some of the caller's alone.
OURS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)
ALONE = st.text().map("x".__add__)
THEIRS = st.dictionaries(st.sampled_from("abcdefé") | ALONE, VALUES, max_size=6)


def within(part, whole):
    """Return whether all that `part` says stands in `whole`, objects member by member."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and within(part[name], whole[name]) for name in part)
    return bool(part == whole)


@given(THEIRS, OURS, st.booleans())
def test_defaults_never_win_over_the_caller(theirs, defaults, ascii_only):
    raw = json.dumps({"model": "m"} | theirs, ensure_ascii=ascii_only).encode()

    raw_sent = shaper(body_defaults=defaults).shaped(raw, b'"asset"')

    sent = json.loads(raw_sent)
    untouched = theirs.keys() - defaults.keys()
    assert within(theirs, sent)
    assert sent.keys() == {"model", *theirs, *defaults}
    assert all(sent[name] == defaults[name] for name in defaults.keys() - theirs.keys())
    assert all(members(raw_sent)[name] == members(raw)[name] for name in untouched)
    assert parse(raw_sent).model == "asset"


@given(THEIRS, OURS, OURS)
def test_overrides_always_win(theirs, defaults, overrides):
    sent = shaped({"model": "m"} | theirs, body_defaults=defaults, body_overrides=overrides)

    assert within(overrides, sent)
    assert sent.keys() == {"model", *theirs, *defaults, *overrides}


ALL = [
    shaper(body_defaults={"a": {"b": {"c": 1}}, "t": 1}, body_overrides={"b": {"c": [1]}}),
    shaper(system_prompt="P", user_template="Q: {{ user_input }}", without_tools=True),
    shaper(system_prompt="P", system_prompt_position=pb.SYSTEM_PROMPT_POSITION_APPEND),
    shaper(system_prompt="P", system_prompt_position=pb.SYSTEM_PROMPT_POSITION_REPLACE),
    shaper(user_template="Q: {{ user_input }}"),
]

ODD = VALUES | st.dictionaries(st.sampled_from(["role", "content", "text"]), VALUES)
MESSAGES = st.lists(
    ODD
    | st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "developer"])}, optional={"content": VALUES}
    ),
    max_size=4,
)


@given(
    st.fixed_dictionaries({"model": st.just("m")}, optional={"messages": MESSAGES | ODD, "a": ODD}),
    st.sampled_from(ALL),
)
def test_any_body_is_shaped_or_refused(body, policy):
    with suppress(InvalidValue):
        assert parse(policy.shaped(json.dumps(body).encode(), b'"asset"')).model == "asset"


@given(
    st.binary() | st.binary().map(lambda inner: b'{"model":"m","messages":[%b]}' % inner),
    st.sampled_from(ALL),
)
def test_any_bytes_are_shaped_or_refused(raw, policy):
    with suppress(BadRequest):
        parse(raw)
        assert parse(policy.shaped(raw, b'"asset"'))
    with suppress(InvalidValue):  # also what was never checked
        policy.shaped(raw, b'"asset"')
