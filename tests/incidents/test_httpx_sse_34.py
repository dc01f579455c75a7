"""florimondmanca/httpx-sse#34: events were cut at U+2028, which ends no line in a stream."""

from gateway.sse import Scanner


def test_a_line_separator_cuts_no_event():
    event = 'data: {"text":"a\u2028b\u2029c\u0085d\x0be"}\n\n'.encode()

    assert Scanner().feed(event) == event
