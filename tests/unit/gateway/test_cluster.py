"""What clients ask about routes, read from bytes."""

from typing import get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from control.api.errors import InvalidBody, InvalidValue
from control.api.route_documents import OPERATION_VALUES
from gateway.cluster import MatchRequest, read_match
from gateway.views import Kind

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
NAMES = st.sampled_from([*MatchRequest.__struct_fields__, "x"])


@given(st.dictionaries(NAMES, VALUES).map(msgspec.json.encode) | st.binary())
@example(b"[" * 100_000)
@example(b'{"x":' + b"[" * 100_000)
@example(b'{"limit":' + b"9" * 5_000 + b"}")
def test_any_bytes_are_a_question_or_a_clear_refusal(raw):
    try:
        said = str(read_match(raw).limit or 1)
    except (InvalidBody, InvalidValue) as refused:
        said = str(refused)

    assert said.isprintable()
    assert 0 < len(said) < 300
    assert not said.startswith("-")


def test_clients_may_ask_for_every_operation():
    assert set(get_args(Kind)) == set(OPERATION_VALUES)


@pytest.mark.parametrize("body", [b"{}", b'{"task":null,"unknown":[1]}'])
def test_nothing_has_to_be_said(body):
    assert read_match(body) == MatchRequest()


def test_a_kind_that_is_none_is_told_which_there_are():
    with pytest.raises(InvalidValue, match="'chats'; there are chat, embeddings, transc"):
        read_match(b'{"kind":"chats"}')
