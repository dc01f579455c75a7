"""Streams of events pass byte for byte, except for what must be hidden."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.errors import UpstreamBadResponse, UpstreamError
from gateway.reasoning import HIDDEN_KEYS, Usage
from gateway.sse import DONE, MAX_EVENT_BYTES, Scanner, data_of, first_error, only_comments, split

SECRET = "Xq7secret"

WORD = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
USED = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
FAILURE = b'data: {"error":{"message":"out of memory"}}\n\n'

LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])


def cut_into(data, places):
    """Return `data` cut at `places`, in order."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def scan(chunks, **options):
    """Return what passes of `chunks`, the beginning of a stream that ends well, and its usage."""
    scanner = Scanner(**options)
    passed = b"".join(map(scanner.feed, [*chunks, LAST])) + scanner.finish()
    return passed.removesuffix(DONE).removesuffix(LAST), scanner.usage


def documents_in(stream):
    """Return the JSON documents of a stream, as a client by the book would read them."""
    found = []
    lines, data = re.split(rb"\r\n|\r|\n", stream), []
    for line in [*lines, b""]:
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            try:
                found.append(json.loads(b"\n".join(data)))
            except ValueError:
                found.append(None)
            data = []
    return found


def hidden_in(document):
    if isinstance(document, dict):
        return bool(not document.keys().isdisjoint(HIDDEN_KEYS)) or any(
            map(hidden_in, document.values())
        )
    return isinstance(document, list) and any(map(hidden_in, document))


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_any_bytes_without_a_needle_pass_unchanged(data, places):
    passed, _ = scan(cut_into(data, places))

    if not any(needle in data for needle in (b"reasoning", b"usage", b"\\u00", b"[DONE]")):
        assert passed == data


TEXT = st.text(
    alphabet=st.sampled_from('ab \u2028\u2029\x85é😀{}:"\\/\tdata:reasoning usage'), max_size=30
)


@st.composite
def events(draw):
    """Return an event and its document; now and then with something to hide in it."""
    delta = {"content": draw(TEXT)}
    for key in draw(st.lists(st.sampled_from(sorted(HIDDEN_KEYS)), max_size=2)):
        delta[key] = draw(st.sampled_from([SECRET, [SECRET], {"text": SECRET}]))
    document = {"choices": [{"delta": delta}], "n": draw(st.integers(0, 9))}
    if draw(st.booleans()):
        document["usage"] = draw(
            st.none() | st.just({"prompt_tokens": 3, "completion_tokens": 4, "reasoning_tokens": 2})
        )
    text = json.dumps(document, ensure_ascii=draw(st.booleans())).encode()
    if draw(st.booleans()):  # a key may be spelled with escapes
        text = text.replace(b'"reasoning', b'"r\\u0065asoning')
    end = draw(LINE_ENDS)
    lines = [b"data: " + text] if draw(st.booleans()) else [b"data:" + text]
    if draw(st.booleans()):
        middle = text.index(b", ") + 2  # between tokens, where a line end is allowed
        lines = [b"data: " + text[:middle], b"data: " + text[middle:]]
    before = draw(st.sampled_from([[], [b": ping"], [b"event: x", b"id: 7"], [b"retry: 5"]]))
    return end.join([*before, *lines]) + end + end, document


@given(st.lists(events(), max_size=6), st.lists(st.integers(0, 4_000), max_size=12))
def test_reasoning_never_leaks_and_all_else_stays(made, places):
    """However the bytes arrive, by whatever line ends."""
    stream = b"".join(event for event, _ in made)
    whole, _ = scan([stream])
    passed, usage = scan(cut_into(stream, places))

    assert passed == whole
    assert SECRET.encode() not in passed
    read = documents_in(passed)
    assert not any(map(hidden_in, read))
    expected = [json.loads(json.dumps(document)) for _, document in made]
    for document in expected:
        for key in HIDDEN_KEYS:
            document["choices"][0]["delta"].pop(key, None)
    assert read == expected
    told = [document["usage"] for _, document in made if document.get("usage")]
    assert usage == (Usage(3, 4) if told else None)


@given(st.lists(events(), max_size=6), st.lists(st.integers(0, 4_000), max_size=12))
def test_events_with_nothing_to_hide_are_untouched(made, places):
    stream = b"".join(event for event, _ in made)
    passed, _ = scan(cut_into(stream, places))

    for event, document in made:
        if not hidden_in(document):
            assert event in passed
    assert scan(cut_into(stream, places), strip=False)[0] == stream


@given(st.lists(events(), max_size=4), st.booleans())
def test_a_byte_at_a_time_is_the_same_stream(made, strip):
    """Line ends, characters of four bytes and needles are all cut where they can be."""
    stream = b"".join(event for event, _ in made)
    single = [stream[at : at + 1] for at in range(len(stream))]

    assert scan(single, strip=strip) == scan([stream], strip=strip)
    assert strip or scan(single, strip=strip)[0] == stream


LINES = [
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"data: ",
    b"data:",
    b"data",
    b": ping",
    b"id: 1",
]
DATA = [b'{"a":1}', b'{"reasoning":"s"}', b'{"reasoning":', b'"r\\u0065asoning":1', b"[DONE]"]
ODDITIES = [
    b'{"usage":null}',
    b'{"usage":{"prompt_tokens":1}}',
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\xf0",
]
PIECES = st.sampled_from(LINES + DATA + ODDITIES)


@given(st.lists(PIECES, max_size=40), st.lists(st.integers(0, 600), max_size=12))
def test_however_it_is_cut_a_client_reads_the_same(pieces, places):
    """Of any soup of what streams are made of."""
    stream = b"".join(pieces)
    whole, usage = scan([stream])
    passed, told = scan(cut_into(stream, places))

    assert documents_in(passed) == documents_in(whole)
    assert told == usage


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
@pytest.mark.parametrize("size", [1 << 10, 1 << 16])
def test_a_large_event_passes(end, size):
    """1 MB with its end, in segments; cut within characters of four bytes."""
    text = "😀".encode() * ((MAX_EVENT_BYTES - 100) // 4)
    hidden = b'data: {"reasoning":"%b","a":"%b"}' % (text[: len(text) // 2], text[: len(text) // 4])
    for event in (b"data: " + text + end, hidden + end):
        segments = [event[at : at + size] for at in range(0, len(event), size)]

        assert scan(segments)[0] == re.sub(rb'"reasoning":"[^"]*",', b"", event)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_secrets_in_broken_events_do_not_leak(noise, places):
    """What cannot be read as JSON is not shown when it could be reasoning."""
    for key in (b"reasoning_content", b"r\\u0065asoning_content"):
        event = b'data: {"' + key + b'":"' + SECRET.encode() + noise
        assert_hidden(event, places)


def assert_hidden(event, places):
    passed, _ = scan(cut_into(event, places))

    first = re.split(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n|\r\n\r|\n\r", event)[0]
    if SECRET.encode() in first:
        assert SECRET.encode() not in passed


@pytest.mark.parametrize("oddity", ["NaN", "-Infinity", "1e999", '"\\ud800"'])
def test_what_only_lenient_readers_read_is_cleaned_and_not_lost(oddity):
    """Engines in Python write it, and clients in Python read it."""
    hidden = b'data: {"r\\u0065asoning":"%b","x":%b,"content":"a"}\n\n'
    shown = b'data: {"content":"my reasoning is","logprob":%b}\n\n' % oddity.encode()

    passed, _ = scan([hidden % (SECRET.encode(), oddity.encode()), shown])

    assert SECRET.encode() not in passed
    assert passed.endswith(shown)
    assert b'"content":"a"' in passed


def test_a_rewritten_event_keeps_its_other_lines():
    event = b'event: x\r\ndata: {"delta":{"reasoning":"s"}}\r\nid: 3\r\n\r\n'

    assert scan([event])[0] == b'event: x\r\ndata: {"delta":{}}\r\nid: 3\r\n\r\n'


def test_nothing_that_is_whole_is_held_back():
    scanner = Scanner()

    assert scanner.feed(b"data: a\n\ndata: b") == b"data: a\n\n"
    assert scanner.feed(b"\n\n") == b"data: b\n\n"


def test_an_endless_event_is_an_error():
    scanner = Scanner()
    for _ in range(MAX_EVENT_BYTES // 1_024):
        scanner.feed(b"x" * 1_024)

    with pytest.raises(UpstreamBadResponse):
        scanner.feed(b"x")


@pytest.mark.parametrize(
    "usage", ['{"prompt_tokens":-5}', '"12"', "[1]", '{"prompt_tokens":1e308}', '{"a":1}', "7"]
)
def test_an_impossible_usage_is_no_usage(usage):
    assert scan([b'data: {"usage":%b}\n\n' % usage.encode()])[1] is None


def test_the_last_usage_counts():
    stream = b'data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n' * 2
    stream += b'data: {"usage":{"prompt_tokens":1,"completion_tokens":9}}\n\ndata: [DONE]\n\n'

    assert scan([stream]) == (stream.removesuffix(DONE), Usage(1, 9))


@given(st.binary(max_size=200))
def test_split_loses_nothing(data):
    assert b"".join(split(data)) == data


def ended(*segments, **options):
    """Return the scanner, and what passed when the stream was over."""
    scanner = Scanner(**options)
    passed = b"".join(map(scanner.feed, segments)) + scanner.finish()
    return scanner, passed


def cut_everywhere(stream):
    yield [stream]
    yield [stream[at : at + 1] for at in range(len(stream))]
    yield from ([stream[:at], stream[at:]] for at in range(1, len(stream)))


@pytest.mark.parametrize("after", [b"", DONE, WORD, WORD + DONE, FAILURE, b"data: {", b"\n"])
@pytest.mark.parametrize(
    "end", [DONE, b"data:[DONE]\n\n", b"event: end\ndata: [DONE] \n\n", b"data: [DONE]\r\n\r\n"]
)
def test_an_answer_ends_once(end, after):
    for segments in cut_everywhere(WORD + end + after):
        scanner, passed = ended(*segments)

        # An event ends with CR, too: whether LF follows is not waited for.
        assert passed.rstrip() == (WORD + end).rstrip()
        assert scanner.ended
        assert scanner.failed is None


@pytest.mark.parametrize(
    "text", ["[DONE]", "\n\ndata: [DONE]\n\n", "data: [DONE]", '"finish_reason":"stop"']
)
def test_an_end_inside_of_a_text_is_text(text):
    """A tool may be called with it."""
    event = b"data: %b\n\n" % json.dumps({"arguments": json.dumps(text)}).encode()

    for segments in cut_everywhere(event + DONE):
        assert ended(*segments)[1] == event + DONE
    with pytest.raises(UpstreamError):
        ended(event)


@pytest.mark.parametrize("reason", [b'"stop"', b' "length"'])
@pytest.mark.parametrize("after", [b"", USED, b": ping\n\n" + USED, USED.rstrip(), b"data: {"])
def test_an_answer_that_told_its_reason_is_ended_for_the_client(reason, after):
    last = LAST.replace(b'"stop"', reason)
    whole = after.rstrip() + b"\n\n" if after and after != b"data: {" else b""
    stream = WORD + last + after
    for segments in ([stream], [stream[:-1], stream[-1:]], [WORD, last, after]):
        scanner, passed = ended(*filter(None, segments))

        assert passed == WORD + last + whole + DONE
        assert scanner.ended
        assert (scanner.usage == Usage(1, 2)) == (USED.rstrip() in after)


def test_an_end_may_lack_its_line_ends():
    for missing in (b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r\n"):
        assert ended(WORD, missing)[1].startswith(WORD + missing.rstrip())
        assert ended(WORD, missing)[0].ended


@pytest.mark.parametrize("stream", [b"", b": ping\n\n", WORD, WORD + USED, WORD + LAST[:-9]])
def test_an_answer_that_told_no_reason_was_cut(stream):
    for segments in ([stream], [stream[:5], stream[5:]]):
        with pytest.raises(UpstreamError):
            ended(*segments)


def test_where_a_cut_looks_like_an_end_only_the_end_counts():
    assert ended(WORD, LAST, DONE, framed=False)[0].ended
    with pytest.raises(UpstreamError):
        ended(WORD, LAST, framed=False)


@pytest.mark.parametrize("failure", [FAILURE, b'event: error\ndata: {"error":"lost"}\n\n'])
@pytest.mark.parametrize("end", [b"", DONE, b"data: [DONE]", LAST])
def test_after_an_error_of_the_engine_there_is_no_end(failure, end):
    for segments in cut_everywhere(WORD + failure + end):
        scanner, passed = ended(*segments)

        assert passed == WORD + failure + (end if end == LAST else b"")
        assert isinstance(scanner.failed, UpstreamError)


def test_an_error_is_known_before_the_stream_is_over():
    scanner = Scanner()
    scanner.feed(WORD)
    assert scanner.failed is None

    scanner.feed(FAILURE)

    assert scanner.failed is not None


@pytest.mark.parametrize(
    ("events", "failed"),
    [
        (FAILURE, True),
        (b": ping\n\n" + FAILURE + WORD, True),
        (WORD + FAILURE, False),
        (WORD, False),
        (b'data: {"error":null}\n\n', False),
        (b'data: {"choices":[{"error":"x"}]}\n\n', False),
        (b'data: "error"\n\n', False),
        (b': "error"\n\n', False),
        (DONE, False),
        (b"", False),
    ],
)
def test_a_stream_may_begin_with_an_error(events, failed):
    assert (first_error(events, "h/a") is not None) == failed


@pytest.mark.parametrize(
    ("events", "only"),
    [
        (b": ping\n\n", True),
        (b":\r\n\r\n: a\r:\n\n", True),
        (b"\n\n", True),
        (b": ping\ndata: a\n\n", False),
        (b"id: 7\n\n", False),
        (b"\xef\xbb\xbfdata: a\n\n", False),
        (b" : a\n\n", False),
        (WORD, False),
    ],
)
def test_comments_are_no_events(events, only):
    assert only_comments(events) == only


def test_little_of_a_stream_is_remembered():
    scanner = Scanner()
    for _ in range(100):
        scanner.feed(b"data: " + b"x" * 60_000 + b"\n\n")

    assert sum(map(len, scanner._last)) < 20_000


@given(
    st.lists(PIECES | st.sampled_from([WORD, LAST, USED, FAILURE, DONE]), max_size=12),
    st.lists(st.integers(0, 600), max_size=12),
)
def test_whatever_comes_there_is_at_most_one_end(pieces, places):
    scanner = Scanner()
    passed = b"".join(map(scanner.feed, cut_into(b"".join(pieces), places)))
    try:
        passed += scanner.finish()
    except UpstreamError:
        assert not scanner.ended

    told = [data for data in map(data_of, split(passed)) if data]
    assert b"[DONE]" not in told[:-1]
    if scanner.failed is None and scanner.ended:
        assert told[-1].strip() == b"[DONE]"
