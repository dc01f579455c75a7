"""What a client is told when every attempt has failed."""

import pytest

from control.api.errors import (
    AllBusy,
    NoHealthyRoute,
    UpstreamBadResponse,
    UpstreamError,
    UpstreamTimeout,
)
from gateway.failover import conclusion

FAILED = UpstreamError("h/a failed (500)")
BAD = UpstreamBadResponse("h/b sent text/html instead of JSON")
LATE = UpstreamTimeout("h/c sent nothing for 60 s (first_byte)")


def test_a_single_failure_is_told_as_it_is():
    assert conclusion([FAILED], "m", None, "req_1") is FAILED


def test_of_several_the_last_is_told_and_where_to_read_more():
    told = conclusion([LATE, FAILED, BAD], "m", None, "req_1")

    assert type(told) is UpstreamBadResponse
    assert str(told) == f"tried 3 services; the last: {BAD}"
    assert told.see == "geniehive request req_1"


def test_a_timeout_always_names_the_command_that_tells_more():
    told = conclusion([LATE], "m", None, "req_1")

    assert (type(told), str(told)) == (UpstreamTimeout, str(LATE))
    assert told.see == "geniehive request req_1"


@pytest.mark.parametrize("out_for", [None, 4.0])
def test_who_is_busy_may_be_asked_again_and_as_soon_as_the_first_says(out_for):
    busy = [AllBusy("h/a is busy", retry_after=30), AllBusy("h/b is busy", retry_after=7)]

    told = conclusion([busy[0], FAILED, busy[1], BAD], "m", out_for, "req_1")

    assert (type(told), str(told), told.retry_after) == (AllBusy, "h/b is busy", 7)


@pytest.mark.parametrize(("out_for", "after"), [(0.0, 1), (0.2, 1), (8.1, 9)])
def test_when_all_are_out_it_is_told_when_the_first_may_be_back(out_for, after):
    told = conclusion([FAILED], "m", out_for, "req_1")

    assert (type(told), told.retry_after) == (NoHealthyRoute, after)
    assert str(told) == f'all services of "m" fail; the last: {FAILED}'
    assert told.see == "geniehive request req_1"
