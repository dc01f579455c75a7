"""Lists are whole or in pages, and made a little at a time."""

import json

import pytest

from control.api.errors import InvalidValue
from gateway.listing import (
    DEFAULT_LIMIT,
    MAX_PAGES,
    PAGE,
    as_list,
    everything,
    joined,
    listed,
    page,
)
from tests.steps import counted

pytestmark = pytest.mark.anyio


async def test_a_list_that_never_ends_is_left():
    asked = []

    async def fetch(size, token):
        asked.append((size, token))
        return ["x"] * size, "more"

    with pytest.raises(InvalidValue, match="more than 100,000; ask for pages of at most 1,000"):
        await everything(fetch)
    assert asked[:2] == [(PAGE, ""), (PAGE, "more")]
    assert len(asked) == MAX_PAGES


class Message:
    """What a page holds, and how many of them are held."""

    held = 0

    def __init__(self):
        Message.held += 1

    def __del__(self):
        Message.held -= 1


async def test_a_whole_list_does_not_hold_what_it_is_made_of():
    most = 0

    async def fetch(size, token):
        nonlocal most
        most = max(most, Message.held)
        number = int(token or 0) + 1
        return [Message() for _ in range(size)], str(number) if number < 10 else ""

    answer = await listed(None, page(None, ""), fetch, lambda message: {"n": 1})

    assert len(json.loads(answer.body)) == 10 * PAGE
    assert most <= 2 * PAGE


def test_what_is_listed_is_made_one_by_one():
    found, taken = counted(as_list(lambda number: {"n": number}, range(1_000)))

    assert taken == 1_000
    assert bytes(found).startswith(b'[{"n":0},{"n":1},')


@pytest.mark.parametrize("items", [[], [b"1"], [b"1", b"{}", b"3"]])
def test_what_is_json_already_is_joined(items):
    assert json.loads(joined(items)) == [json.loads(one) for one in items]


def test_a_token_alone_asks_for_a_page_too():
    assert page(None, "").limit is None
    assert page(None, "t").limit == DEFAULT_LIMIT
    assert page(7, "t").limit == 7
