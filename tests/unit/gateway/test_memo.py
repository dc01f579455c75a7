"""A head that is remembered means what a parser would find in it."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answer_head import answer_memo
from gateway.memo import MAX_HEAD_BYTES, MAX_HEADS, PROBE, Memo
from gateway.request_head import request_memo


def request(*lines: bytes, first: bytes = b"POST /v1/chat/completions HTTP/1.1") -> bytes:
    return b"\r\n".join((first, *lines, b"", b""))


TYPE = b"content-type: application/json"
PLAIN = request(b"Host: a", TYPE, b"Content-Length: 12")


def learned(memo: Memo, head: bytes) -> Memo:
    memo.learn(head)
    memo.learn(head)
    return memo


def test_a_head_is_known_again_with_any_length():
    memo = learned(request_memo(), PLAIN + b"the body")
    other = PLAIN.replace(b"12", b"7")

    head, length, body = memo.recall(other + b"another")
    assert (head.path, length, body) == (b"/v1/chat/completions", 7, b"another")


def test_a_head_that_was_not_learned_is_not_known():
    memo = learned(request_memo(), PLAIN)

    assert memo.recall(PLAIN.replace(b"Host: a", b"Host: b")) is None


@pytest.mark.parametrize("cut", range(len(PLAIN)))
def test_a_head_that_is_not_whole_is_not_known(cut):
    assert learned(request_memo(), PLAIN).recall(PLAIN[:cut]) is None


@pytest.mark.parametrize(
    "length", [b"", b"+5", b"-5", b"5_0", b" 5", b"5 ", b"0x5", b"5,5", b"9" * 10, b"\xb2"]
)
def test_what_is_no_plain_number_is_no_length(length):
    memo = learned(request_memo(), PLAIN)

    assert memo.recall(PLAIN.replace(b"12", length)) is None


@pytest.mark.parametrize("head", [PLAIN, request(b"Content-Length: 12", b"Host: a", TYPE)])
@pytest.mark.parametrize("cut", [b"\r", b"\n", b"ength: ", b"ength: 12", b"12\r", b"\x00"])
def test_what_stands_elsewhere_makes_another_head(head, cut):
    """However the pieces that are compared could be moved, added or left out."""
    memo = learned(request_memo(), head)
    for place in range(len(head)):
        for other in (head[:place] + cut + head[place:], head.replace(cut, b"", 1)):
            known = memo.recall(other + b"x")
            if known is not None:
                parser = httptools.HttpRequestParser(found := Found())
                parser.feed_data(other.removesuffix(known[2][:-1]) + b"x" * known[1])

                assert dict(found.headers)[b"content-length"] == b"%d" % known[1]
                assert found.body == b"x" * known[1]


@pytest.mark.parametrize(
    "head",
    [
        request(TYPE, b"Content-Length: 5", first=b"GET /v1/chat/completions HTTP/1.1"),
        request(TYPE, b"Content-Length: 5", first=b"POST /v1/models HTTP/1.1"),
        request(TYPE, b"Content-Length: 5", first=b"POST /v1/chat/completions HTTP/1.0"),
        request(TYPE, b"Content-Length: 5", b"Connection: close"),
        request(TYPE, b"Content-Length: 5", b"Expect: 100-continue"),
        request(TYPE, b"Content-Length: 5", b"Upgrade: h2c"),
        request(TYPE, b"Content-Length: 5", b"Connection: upgrade", b"Upgrade: h2c"),
        request(TYPE, b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        request(TYPE, b"Content-Length: 5", b"Content-Length: 5"),
        request(TYPE, b"Content-Length: 5", b"Content-Length: 6"),
        request(TYPE, b"X-Wavelength: 5", b"Content-Length: 5"),
        request(TYPE, b"X-Wavelength: 5", b"Content-Length: %d" % PROBE),
        request(TYPE, b"X-Wavelength: 5"),
        request(b"Content-Type: text/plain", b"Content-Length: 5"),
        request(TYPE, b"Content-Encoding: gzip", b"Content-Length: 5"),
        request(TYPE, b"X-Api-Key: a", b"Authorization: Bearer b", b"Content-Length: 5"),
        request(TYPE, b"Content-Length: 5", b"X-Long: " + b"x" * MAX_HEAD_BYTES),
        request(TYPE, b"Content-Length: 5", b"X-Bare: a\nContent-Length: 7"),
        request(TYPE, b"Content-Length: 5", b"A: b\n\nPOST / HTTP/1.1"),
        b"\r\n\r\n" + PLAIN,
    ],
)
def test_a_special_head_is_not_remembered(head):
    assert learned(request_memo(), head).recall(head) is None


def test_memory_is_bounded():
    memo = request_memo()
    heads = [request(b"Host: %d" % n, TYPE, b"Content-Length: 5") for n in range(MAX_HEADS + 1)]
    for head in heads:
        learned(memo, head)

    assert memo.recall(heads[0]) is None
    assert memo.recall(heads[-1]) is not None


def test_heads_that_come_once_push_out_none_that_come_again():
    memo = learned(request_memo(), PLAIN)
    for number in range(3 * MAX_HEADS):
        memo.learn(request(b"Host: a", b"X-Number: %d" % number, TYPE, b"Content-Length: 5"))

    assert memo.recall(PLAIN) is not None


def test_a_head_is_read_once_at_most():
    read = []
    memo = Memo(read.append)  # which returns None: it is not to be remembered
    for _ in range(5):
        memo.learn(PLAIN)

    assert len(read) == 1
    assert memo.recall(PLAIN) is None


class Found:
    """What the parser itself finds in a message."""

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.done = True


NAMES = st.sampled_from(
    [b"Content-Length", b"content-length", b"X-Length", b"Host", b"Accept", b"Transfer-Encoding",
     b"Connection", b"Content-Type", b" Content-Length", b"Strength"]
)  # fmt: skip
VALUES = st.sampled_from([b"3", b"4", b"03", b"%d" % PROBE, b"chunked", b"close", b"keep-alive",
                          b"application/json", b"a", b""])  # fmt: skip
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n "])
LINES = st.lists(st.tuples(NAMES, st.sampled_from([b": ", b":", b" : "]), VALUES, ENDS), max_size=6)


LAST = st.sampled_from([b"Content-Length: %d\r\n" % length for length in (3, 4, 5, PROBE)])


@given(LINES, LAST)
def test_what_is_remembered_is_what_the_parser_finds(lines, last):
    head = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-type: application/json\r\n"
    head += b"".join(map(b"".join, lines)) + last + b"\r\n"
    known = learned(request_memo(), head).recall(head + b"abcdef")
    if known is None or known[1] == PROBE:
        return
    found = Found()
    parser = httptools.HttpRequestParser(found)
    parser.feed_data(head + b"abcdef"[: known[1]])

    assert found.done
    assert found.body == b"abcdef"[: known[1]]
    assert known[2] == b"abcdef"


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"


def test_the_head_of_a_document_is_remembered():
    head, length, body = learned(answer_memo(), ANSWER).recall(ANSWER + b"{}")

    assert (head.status, length, body) == (200, 2, b"{}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"200 OK", b"100 Continue"),
        (b"200 OK", b"204 No Content"),
        (b"200 OK", b"304 Not Modified"),
        (b"200 OK", b"503 Busy"),
        (b"200 OK", b"302 Found"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"application/json", b"text/event-stream"),
        (b"application/json", b"text/html"),
        (b"Content-Length: 2", b"X-Length: 2\r\nContent-Length: %d" % PROBE),
        (b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        (b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"),
        (b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ],
)
def test_the_head_of_anything_else_is_not_remembered(old, new):
    head = ANSWER.replace(old, new)

    assert learned(answer_memo(), head).recall(head + b"{}") is None
