"""BerriAI/litellm#31497: a large prompt held up the event loop."""

import json
import time

from gateway import body

GOAL_S = 0.1


def test_the_largest_prompt_is_judged_in_no_time():
    text = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 9_900_000}]})
    begin = time.thread_time()
    body.parse(text.encode())

    assert time.thread_time() - begin < 10 * GOAL_S
