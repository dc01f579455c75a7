import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.answers import answers
from bench.reading import Chunks, Events, Malformed, Reader

ANSWERS = answers(2, tokens=3)
STREAM = ANSWERS.opening + ANSWERS.event * 5 + ANSWERS.closing


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if end > start]


anywhere = st.lists(st.integers(0, 5_000), max_size=40)


@given(anywhere)
def test_a_stream_is_counted_wherever_it_is_split(cuts):
    """Five tokens and the usage; `[DONE]` is no event."""
    reader = Reader()
    *early, last = pieces(STREAM, cuts)

    assert not any(reader.feed(piece) for piece in early)
    assert reader.feed(last)
    assert (reader.status, reader.streams, reader.events) == (200, True, 6)


@given(anywhere, st.lists(st.binary(max_size=30), max_size=8))
def test_chunks_give_back_the_body_wherever_they_are_split(cuts, parts):
    coded = b"".join(b"%X;x=1\r\n%s\r\n" % (len(part), part) for part in parts if part)
    chunks = Chunks()

    fed = [chunks.feed(piece) for piece in pieces(coded + b"0\r\nA: b\r\n\r\n", cuts)]

    assert b"".join(fed) == b"".join(parts)
    assert chunks.ended


@given(anywhere, st.sampled_from([b"\n", b"\r\n"]))
def test_events_are_counted_at_both_ends_of_lines(cuts, end):
    text = b"".join(b"data: {}" + end * 2 for _ in range(7)) + b"data: [DONE]" + end * 2
    events = Events()

    assert sum(events.feed(piece) for piece in pieces(text, cuts)) == 7


@given(anywhere)
def test_a_whole_answer_is_complete_with_its_last_byte(cuts):
    reader = Reader()
    *early, last = pieces(ANSWERS.completion, cuts)

    assert not any(reader.feed(piece) for piece in early)
    assert reader.feed(last)
    assert (reader.status, reader.streams) == (200, False)


def test_answers_follow_one_another():
    reader = Reader()
    for data, status in [
        (ANSWERS.completion, 200),
        (ANSWERS.completion, 200),
        (ANSWERS.unknown, 404),
        (ANSWERS.unknown, 404),
        (STREAM, 200),
        (ANSWERS.completion, 200),
    ]:
        reader.reset()
        assert reader.feed(data)
        assert reader.status == status


def test_an_answer_without_a_length_ends_with_the_connection():
    reader = Reader()

    assert not reader.feed(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}")
    assert reader.ended()


def test_an_answer_that_was_cut_is_not_complete():
    for data in (ANSWERS.completion[:-1], STREAM[:-1], ANSWERS.completion[:20]):
        reader = Reader()
        assert not reader.feed(data)
        assert not reader.ended()


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
        b"x" * (1 << 20 | 1),
    ],
    ids=["not-http", "length", "too-long", "chunk-size", "after-the-end", "endless-head"],
)
def test_what_is_no_answer_is_said_so(data):
    with pytest.raises(Malformed):
        Reader().feed(data)
