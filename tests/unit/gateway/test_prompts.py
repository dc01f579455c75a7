"""What the operator says comes to be one leading system message, and around the last question."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.errors import InvalidValue
from gateway.prompts import Position, SystemPrompt, UserTemplate

PREPEND, APPEND, REPLACE = Position.PREPEND, Position.APPEND, Position.REPLACE
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def system(content):
    return {"role": "system", "content": content}


def user(content):
    return {"role": "user", "content": content}


def text(words):
    return {"type": "text", "text": words}


def raw(messages):
    return msgspec.Raw(messages if isinstance(messages, bytes) else json.dumps(messages).encode())


def added(messages, position=PREPEND, prompt="P"):
    """Return `messages` with the prompt."""
    return json.loads(bytes(SystemPrompt(prompt, position).added(raw(messages))))


def applied(messages, before="<", after=">"):
    """Return `messages` with the words around the last one of the user."""
    return json.loads(bytes(UserTemplate(before, after).applied(raw(messages))))


@pytest.mark.parametrize("position", Position)
def test_a_prompt_comes_first_where_the_caller_has_none(position):
    assert added([user("hi")], position) == [system("P"), user("hi")]
    assert added([], position) == [system("P")]


@pytest.mark.parametrize(
    ("position", "content"), [(PREPEND, "P\n\nX"), (APPEND, "X\n\nP"), (REPLACE, "P")]
)
def test_the_position_says_where_it_stands_beside_the_callers(position, content):
    assert added([system("X"), user("hi")], position) == [system(content), user("hi")]


@pytest.mark.parametrize(
    ("position", "content"), [(PREPEND, "P\n\nX\n\nY"), (APPEND, "X\n\nY\n\nP"), (REPLACE, "P")]
)
def test_all_that_is_said_as_system_or_developer_becomes_one_message(position, content):
    messages = [user("a"), {"role": "developer", "content": "X"}, user("b"), system("Y")]

    assert added(messages, position) == [system(content), user("a"), user("b")]


@pytest.mark.parametrize(
    ("position", "said", "content"),
    [
        (PREPEND, ["P"], "P"),
        (PREPEND, ["X", "P"], "P\n\nX"),
        (PREPEND, ["P\n\nX"], "P\n\nX"),
        (APPEND, ["P", "X"], "X\n\nP"),
        (APPEND, ["X\n\nP"], "X\n\nP"),
        (PREPEND, [[text("P"), IMAGE]], [text("P\n\n"), IMAGE]),
        (APPEND, [[text("P")]], "P"),
        (PREPEND, [""], "P"),
        (PREPEND, [[]], "P"),
    ],
)
def test_the_same_words_are_not_said_twice(position, said, content):
    assert added([system(one) for one in said], position) == [system(content)]


@pytest.mark.parametrize(
    ("position", "said", "content"),
    [
        (PREPEND, [[text("X"), IMAGE]], [text("P\n\n"), text("X"), IMAGE]),
        (APPEND, [[text("X"), IMAGE]], [text("X"), IMAGE, text("\n\nP")]),
        (PREPEND, ["X", [IMAGE], "Y"], [text("P\n\n"), text("X\n\n"), IMAGE, text("\n\nY")]),
        (APPEND, [[IMAGE], "X", "Y"], [IMAGE, text("\n\nX\n\n"), text("Y"), text("\n\nP")]),
        (APPEND, [[{}, {"text": 1}]], [{}, {"text": 1}, text("\n\nP")]),
    ],
)
def test_parts_are_kept_and_the_prompt_is_one_more(position, said, content):
    assert added([system(one) for one in said], position) == [system(content)]


def test_the_same_words_are_known_however_they_are_spelled():
    for ascii_only in (True, False):
        for content in ("é", [text("é"), IMAGE]):
            messages = json.dumps([system(content)], ensure_ascii=ascii_only).encode()

            shaped = bytes(SystemPrompt("é", PREPEND).added(raw(messages)))

            assert json.loads(shaped) == added([system(content)], prompt="é")
            assert shaped.count("é".encode()) == 1


def test_what_else_the_first_message_holds_is_kept():
    messages = [{"role": "developer", "name": "n", "content": "X"}, system("Y")]

    assert added(messages) == [{"role": "system", "name": "n", "content": "P\n\nX\n\nY"}]


@pytest.mark.parametrize("content", [None, 1, True, {"text": "x"}, ["x"], [text("x"), 1]])
def test_content_that_nothing_can_be_added_to_is_refused_by_its_place(content):
    for position in (PREPEND, APPEND):
        with pytest.raises(InvalidValue, match=r"'messages\[1\].content'") as refused:
            added([user("hi"), system(content)], position)
        assert refused.value.param == "messages"
    with pytest.raises(InvalidValue, match=r"'messages\[0\].content'"):
        applied([user(content)])

    assert added([user(None), system(content)], REPLACE) == [system("P"), user(None)]


def test_a_message_without_content_is_refused():
    with pytest.raises(InvalidValue):
        added([{"role": "system"}])
    with pytest.raises(InvalidValue):
        applied([{"role": "user"}])


@pytest.mark.parametrize(
    "messages", [None, {}, "hi", 1, ["hi"], [None], [user("hi"), []], [{"role": 1}]]
)
def test_what_is_no_list_of_messages_is_refused(messages):
    for change in (added, applied):
        with pytest.raises(InvalidValue, match="not a list of objects") as refused:
            change(messages)
        assert refused.value.param == "messages"


def test_messages_of_others_keep_their_bytes():
    others = (
        b'{"role":"assistant", "content":null,"n":123456789012345678901234567890}',
        b'{ "content":"\\u00e9\\/\\ud83d\\ude00 \xc3\xa9", "x":1e2,"role":"user"}',
        b'{"role":"other","__proto__":{"role":"system"},"constructor":1.0}',
    )

    shaped = bytes(SystemPrompt("P", PREPEND).added(raw(b"[ %b ]" % b" , ".join(others))))

    assert shaped == b'[{"role":"system","content":"P"},%b]' % b",".join(others)


def test_the_template_stands_around_the_last_message_of_the_user():
    messages = [user("a"), user("b"), {"role": "tool", "content": "c"}]

    assert applied(messages) == [user("a"), user("<b>"), {"role": "tool", "content": "c"}]
    assert applied([user("b")], before="") == [user("b>")]
    assert applied([user("b")], after="") == [user("<b")]
    assert applied([user("")], '"\n', "é\\") == [user('"\né\\')]


def test_the_template_stands_around_parts():
    assert applied([user([IMAGE, text("b")])]) == [user([text("<"), IMAGE, text("b"), text(">")])]
    assert applied([user([IMAGE])], before="") == [user([IMAGE, text(">")])]


def test_what_the_user_writes_is_never_expanded():
    assert applied([user("{{ user_input }}")]) == [user("<{{ user_input }}>")]


def test_without_a_message_of_the_user_a_template_changes_nothing():
    messages = b'[ {"role":"assistant","content":null} ]'

    assert bytes(UserTemplate("<", ">").applied(raw(messages))) == messages


def test_what_the_user_writes_stays_as_it_is_spelled():
    messages = b'[{"role":"user","content":"\\u00e9\\/\\ud83d\\ude00 \xc3\xa9","n":1.0}]'

    assert bytes(UserTemplate("<", ">").applied(raw(messages))) == (
        b'[{"role":"user","content":"<\\u00e9\\/\\ud83d\\ude00 \xc3\xa9>","n":1.0}]'
    )


WORDS = st.text("PX\n\u00e9", max_size=6)
CONTENTS = WORDS | st.lists(st.builds(text, WORDS) | st.just(IMAGE), max_size=3)
MESSAGES = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
        CONTENTS,
    ),
    max_size=6,
)


@given(MESSAGES, st.sampled_from(Position), st.text("PX", min_size=1, max_size=3))
def test_there_is_one_system_message_the_first_and_adding_again_changes_nothing(
    messages, position, prompt
):
    once = added(messages, position, prompt)

    others = [one for one in messages if one["role"] not in ("system", "developer")]
    assert once[0]["role"] == "system"
    assert once[1:] == others
    assert prompt in json.dumps(once[0])
    assert added(once, position, prompt) == once
