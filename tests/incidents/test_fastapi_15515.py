"""fastapi/fastapi#15515: an event was rewritten with other line ends than the standard's."""

import json

from gateway.sse import Scanner


def test_a_rewritten_event_is_one_event_with_its_separators():
    event = 'data: {"delta":{"content":"a\u2028b","reasoning_content":"x\u2028y"}}\n\n'.encode()
    passed = Scanner().feed(event)

    assert passed.count(b"\n\n") == 1
    assert json.loads(passed.removeprefix(b"data: ")) == {"delta": {"content": "a\u2028b"}}
