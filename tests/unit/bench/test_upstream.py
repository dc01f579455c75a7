import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from bench import chat
from bench.answers import answers
from bench.reading import Reader
from bench.upstream import Pace, Upstream

TOKENS = 4
ANSWERS = answers(3, TOKENS)
WHOLE = chat.post("h", "/v1/chat/completions", chat.body("m", 0, stream=False), None)
STREAM = chat.post("h", "/v1/chat/completions", chat.body("m", 0, stream=True), None)

Ask = Callable[[bytes, int], bytes]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Send bytes on a connection of its own and return so many bytes of the answers."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        upstream = Upstream(listener, ANSWERS, Pace(TOKENS, 1_000), stopped.is_set)
        thread = threading.Thread(target=upstream.serve)
        thread.start()

        def ask(data: bytes, size: int) -> bytes:
            with socket.create_connection(address, 30) as connection:
                connection.sendall(data)
                got = b""
                while len(got) < size and (more := connection.recv(65_536)):
                    got += more
                return got

        try:
            yield ask
        finally:
            stopped.set()
            thread.join(30)


def streamed() -> bytes:
    return ANSWERS.opening + ANSWERS.event * TOKENS + ANSWERS.closing


def test_a_whole_answer(ask):
    assert ask(WHOLE, len(ANSWERS.completion)) == ANSWERS.completion
    assert 400 < len(ANSWERS.completion) < 700


def test_the_same_request_twice_gets_the_same_answer_twice(ask):
    assert ask(WHOLE * 2, 2 * len(ANSWERS.completion)) == ANSWERS.completion * 2


def test_a_stream_has_its_tokens_and_its_usage(ask):
    reader = Reader()

    assert ask(STREAM, len(streamed())) == streamed()
    assert reader.feed(streamed())
    assert reader.events == TOKENS + 1


def test_a_stream_tells_as_many_tokens_as_it_has():
    assert b'"completion_tokens":%d,' % TOKENS in ANSWERS.closing


def test_what_comes_during_a_stream_is_answered_after_it(ask):
    expected = streamed() + ANSWERS.completion + streamed()

    assert ask(STREAM + WHOLE + STREAM, len(expected)) == expected


def test_a_request_may_come_in_pieces(ask):
    middle = len(WHOLE) // 2
    # What is not read yet is no different from what has not come yet.
    assert ask(WHOLE + WHOLE[:middle], len(ANSWERS.completion)) == ANSWERS.completion


def test_the_list_of_models_names_all(ask):
    got = ask(b"GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n", len(ANSWERS.models))

    assert got == ANSWERS.models
    assert got.count(b'"bench-000') == 3


def test_a_length_that_is_no_number_ends_the_connection(ask):
    assert ask(b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 1) == b""
