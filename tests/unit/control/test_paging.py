import base64

import pytest
from hypothesis import given
from hypothesis import strategies as some

from control.api.errors import InvalidValue
from control.paging import MAX_TOKEN, asked

IDS = some.lists(some.text(min_size=1, max_size=8), unique=True).map(sorted)


def walk(ids, size):
    found, token = [], ""
    while True:
        page, token = asked("services", (), size, token).cut(ids)
        found.append(list(page))
        if not token:
            return found


@given(IDS, some.integers(1, 9))
def test_pages_are_the_whole_list_in_order(ids, size):
    pages = walk(ids, size)

    assert [one for page in pages for one in page] == ids
    assert all(len(page) == size for page in pages[:-1])
    assert len(pages) == max(1, -(-len(ids) // size))


@given(IDS.filter(lambda ids: len(ids) > 1), some.data())
def test_what_comes_or_goes_between_two_pages_hides_and_repeats_nothing_else(ids, data):
    size = data.draw(some.integers(1, len(ids) - 1))
    first, token = asked("services", (), size, "").cut(ids)
    gone = data.draw(some.sampled_from(ids))
    come = data.draw(some.text(min_size=1, max_size=8).filter(lambda one: one not in ids))
    rest, _ = asked("services", (), 1_000, token).cut(
        sorted([*(one for one in ids if one != gone), come])
    )

    assert [one for one in rest if one != come] == [
        one for one in ids if one not in first and one != gone
    ]


def test_a_size_of_zero_is_a_hundred():
    assert asked("hosts", (), 0, "").size == 100


@pytest.mark.parametrize("size", [-(2**31), -1, 1_001, 2**31 - 1])
def test_a_size_out_of_range_is_refused(size):
    with pytest.raises(InvalidValue, match=f"page_size {size} is not 0 to 1000"):
        asked("hosts", (), size, "")


@pytest.mark.parametrize(
    ("listing", "filters"),
    [("hosts", ("h1",)), ("services", ("h2",)), ("services", ()), ("services", ("h1", ""))],
    ids=["another-list", "another-filter", "no-filter", "one-more"],
)
def test_a_token_of_another_question_is_refused_and_told_apart_from_garbage(listing, filters):
    token = asked("services", ("h1",), 10, "").token("h1/a")

    with pytest.raises(InvalidValue, match="of another list, or of other filters"):
        asked(listing, filters, 10, token)


def test_the_size_may_change_from_page_to_page():
    token = asked("services", ("h1",), 10, "").token("h1/a")

    assert asked("services", ("h1",), 500, token).after == "h1/a"


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "öö",
        "!!!!",
        "=",
        "/w==",
        encoded("after:h1"),
        encoded("p1:"),
        encoded("p1:00:"),
        encoded("p2:00:h1"),
        encoded("p1:00:" + "h" * MAX_TOKEN),
        "A" * 4_000_000,
    ],
    ids=lambda token: token[:12],
)
def test_garbage_is_refused(token):
    with pytest.raises(InvalidValue, match="page_token is not one of ours"):
        asked("hosts", (), 10, token)


@given(some.text(min_size=1))
def test_no_other_text_is_taken_for_a_token(token):
    with pytest.raises(InvalidValue):
        asked("hosts", (), 10, token)


@given(some.text(min_size=1))
def test_any_position_comes_back_as_it_was(position):
    page = asked("benchmarks", ("a", None, True), 10, "")

    assert asked("benchmarks", ("a", None, True), 10, page.token(position)).after == position
