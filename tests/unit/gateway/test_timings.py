"""What engines tell of their own work is believed when it can be."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sse import DONE, Scanner
from gateway.timings import Timings, of_answer

# As llama.cpp writes them.
TOLD = {
    "cache_n": 90,
    "prompt_n": 91,
    "prompt_ms": 738.5,
    "prompt_per_token_ms": 8.1,
    "prompt_per_second": 123.2,
    "predicted_n": 12,
    "predicted_ms": 178.0,
    "predicted_per_token_ms": 16.2,
    "predicted_per_second": 61.5,
}
TIMINGS = Timings(91, 0.7385, 12, 0.178, 90)


def document(timings):
    return msgspec.json.encode({"choices": [], "timings": timings})


def test_llama_cpp_tells_how_long_it_read_and_wrote():
    assert of_answer(document(TOLD)) == TIMINGS


def test_what_is_cached_is_not_told_by_old_versions():
    told = {name: value for name, value in TOLD.items() if name != "cache_n"}

    found = of_answer(document(told))

    assert found is not None
    assert found.cached_tokens == 0


@pytest.mark.parametrize(
    "timings",
    [
        None,
        3,
        [],
        {},
        {**TOLD, "prompt_n": -1},
        {**TOLD, "prompt_n": 1.5},
        {**TOLD, "prompt_ms": -1.0},
        {**TOLD, "predicted_ms": 1e300},
        {**TOLD, "predicted_n": 10**12},
        {**TOLD, "predicted_n": "12"},
        {**TOLD, "prompt_ms": None},
        {"prompt_n": 91},
    ],
    ids=range(12),
)
def test_odd_timings_are_none(timings):
    assert of_answer(document(timings)) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'"timings"',
        b'{"timings":',
        b'{"timings": NaN}',
        b'{"timings": 1e999}',
        b'{"timings": "\xff"}',
        b'{"message": "\\"timings\\": {}"}',
        b'{"usage": {"timings": {}}}',
        b'{"timings":' + b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:30]),
)
def test_odd_documents_tell_nothing(content):
    assert of_answer(content) is None


@given(st.binary() | st.binary().map(lambda some: b'{"timings":%b}' % some))
def test_whatever_comes_is_no_error(content):
    assert of_answer(content) is None


def scanned(*segments):
    scanner = Scanner()
    for segment in segments:
        scanner.feed(segment)
    return scanner


WORD = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
END = b'data: {"choices":[{"finish_reason":"stop"}]}\n\n'
LAST = b"data: %b\n\n" % document(TOLD)


@pytest.mark.parametrize(
    "segments",
    [
        (WORD, LAST, DONE),
        (WORD + LAST + DONE,),
        (WORD, LAST[:40], LAST[40:], DONE),
        (WORD, LAST.replace(b"\n", b"\r\n"), DONE),
        (WORD * 200 + LAST + END, DONE),
        (LAST.replace(b"91", b"17"), WORD, LAST, DONE),
    ],
    ids=["apart", "together", "cut", "crlf", "long", "in-each-event"],
)
def test_the_last_events_of_a_stream_tell_them(segments):
    assert scanned(*segments).timings == TIMINGS


@pytest.mark.parametrize(
    "segments",
    [
        (),
        (WORD, END, DONE),
        (WORD, LAST.replace(b'"prompt_n"', b'"prompt_m"'), DONE),
        (b'data: {"choices":[{"delta":{"content":"\\"timings\\""}}]}\n\n', DONE),
        (b'data: "timings"\n\n', DONE),
    ],
    ids=["nothing", "none", "odd", "said", "text"],
)
def test_a_stream_without_them_tells_none(segments):
    assert scanned(*segments).timings is None
