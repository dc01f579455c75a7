import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import chat, requests

WHOLE = chat.post("h:1", "/v1/chat/completions", chat.body("m", 900, stream=False), "key")
STREAM = chat.post("h:1", "/v1/chat/completions", chat.body("m", 900, stream=True), None)
CHUNKED = (
    b'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n{"stream" : true}\r\n0\r\n\r\n'
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (WHOLE, requests.COMPLETION),
        (STREAM, requests.STREAM),
        (CHUNKED, requests.STREAM),
        (WHOLE.replace(b"Content-Length", b"content-length"), requests.COMPLETION),
        (b"GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n", requests.MODELS),
        (b"GET /health HTTP/1.1\r\n\r\n", requests.HEALTH),
        (b"GET /metrics HTTP/1.1\r\n\r\n", requests.UNKNOWN),
        (b"\r\n\r\n", requests.UNKNOWN),
    ],
)
def test_what_is_asked_and_where_it_ends(data, expected):
    assert requests.first(data) == (expected, len(data))
    assert requests.first(data + WHOLE) == (expected, len(data))


@given(st.sampled_from([WHOLE, STREAM, CHUNKED]), st.integers(0, 2_000))
def test_a_request_is_not_there_before_its_last_byte(data, cut):
    assert requests.first(data[: cut % len(data)]) is None


def test_a_stream_that_is_not_wanted_is_none():
    body = b'{"stream": false}'
    assert requests.first(chat.post("h", "/", body, None))[0] == requests.COMPLETION


def test_a_length_that_is_no_number_is_an_error():
    with pytest.raises(ValueError, match="invalid literal"):
        requests.first(b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n")


@pytest.mark.parametrize("size", [0, 300, 900, 60_000])
def test_a_chat_is_as_long_as_asked(size):
    length = len(chat.body("bench-0000", size, stream=True))
    assert length == max(size, len(chat.body("bench-0000", 0, stream=True)))
