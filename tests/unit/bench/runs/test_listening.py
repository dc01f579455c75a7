"""Streams are read as they come, however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.runs.listening import MAX_WORD, Heard, Unreadable, count, vectors_in
from tests.fakes.answers import completion_events, data

STREAM = b"".join(completion_events(["a ", "b ", "ü"], "small", with_usage=True))


def heard(*parts):
    """Each part comes a second after the one before."""
    found = Heard()
    for second, part in enumerate(parts):
        found.feed(part, float(second))
    return found


def delta(**fields):
    return data({"model": "m", "choices": [{"delta": fields}]})


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_where_a_stream_is_cut_changes_nothing_but_times(cuts):
    places = [0, *sorted(cuts), len(STREAM)]
    found = heard(*(STREAM[a:b] for a, b in pairwise(places)))

    assert "".join(found.text) == "a b ü"
    assert len(found.times) == 3
    assert found.ended
    assert (found.model, found.usage["completion_tokens"]) == ("small", 3)


def test_times_are_those_of_output():
    found = heard(delta(role="assistant", content=""), delta(content="a"), delta(content="b"))

    assert found.times == [1.0, 2.0]
    assert not found.ended


def test_hidden_reasoning_takes_time_and_is_no_text():
    found = heard(delta(reasoning_content="hm"), delta(reasoning="hm"), delta(content=None))

    assert found.times == [0.0, 1.0]
    assert found.text == []


def test_an_error_in_the_stream_is_its_failure():
    found = heard(delta(content="a"), data({"error": {"code": "upstream_error"}}))

    assert found.failure == "upstream_error"


@pytest.mark.parametrize("content", [b"data: {\n\n", b"data: []\n\n", b'data: {"choices":[1]}\n\n'])
def test_what_is_no_chat_cannot_be_read(content):
    with pytest.raises(Unreadable, match="bad_answer"):
        heard(content)


def test_a_name_or_a_code_is_short_and_of_whole_characters():
    found = heard(data({"model": "m\ud800", "error": {"code": "x" * 100_000}}))

    assert (found.model, found.failure) == ("m?", "x" * MAX_WORD)


def test_vectors_come_in_the_order_of_their_inputs():
    vectors, answer = vectors_in(
        b'{"model":"m","data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}]}'
    )

    assert vectors == [[1.0], [2.0]]
    assert answer["model"] == "m"


@pytest.mark.parametrize(
    "content",
    [
        b'{"data":[{"index":0,"embedding":null}]}',
        b'{"data":[{"index":0}]}',
        b'{"data":[{"index":Infinity,"embedding":[]}]}',
        b'{"data":[{"index":0,"embedding":[1' + b"0" * 400 + b"]}]}",
        b'{"data":[{"index":0,"embedding":["1"]}]}',
        b'{"data":7}',
        b"no",
    ],
)
def test_what_holds_no_vectors_cannot_be_read(content):
    with pytest.raises(Unreadable, match="bad_answer"):
        vectors_in(content)


@pytest.mark.parametrize(
    ("value", "told"),
    [(3, 3), (0, 0), (-1, None), ("3", None), (True, None), (1.5, None), (10**12, None)],
)
def test_only_counts_are_believed(value, told):
    assert count({"n": value}, "n") == told
