"""A canary is found however it got there, and nothing else is."""

import base64
import random

import pytest

from tests.chaos.canaries import FRAGMENT, found, planted

KINDS = ("key", "prompt")
CANARIES = planted(KINDS, random.Random(1))
KEY = CANARIES["key"]


@pytest.mark.parametrize(
    "content",
    [
        KEY,
        KEY.upper(),
        KEY[:FRAGMENT],
        KEY[-FRAGMENT:],
        base64.b64encode(f"{KEY}\n".encode()).decode(),
        KEY.encode().hex(),
    ],
    ids=["whole", "in capitals", "its beginning", "its end", "base64", "hexadecimal"],
)
def test_it_is_found(content: str):
    assert found(f'{{"a": "b{content}"}}'.encode(), CANARIES, KINDS) == ["key"]


def test_nothing_else_is():
    for content in ("", KEY[: FRAGMENT - 1], KEY[::-1], "key prompt"):
        assert found(content.encode(), CANARIES, KINDS) == []
