"""Which priority a request has."""

import pytest
from geniehive.v1 import inventory_pb2 as inventory
from hypothesis import given
from hypothesis import strategies as st

from control.api.errors import InvalidValue, OperationNotAllowed
from control.api.priorities import Priority, Standing
from gateway.keys import ANONYMOUS, Key, KeyRing
from gateway.priority import HEADER, Priorities, asked
from gateway.request_head import RequestHead
from gateway.resources import Waiting
from gateway.routes import Routes

LOW, NORMAL, HIGH = Priority
ANY = st.sampled_from(Priority)
MAYBE = st.none() | ANY


def priorities(default=NORMAL, highest=HIGH, **standings):
    ring = KeyRing()
    ring.replace(
        {
            name: Key(name, number.to_bytes(32), standing)
            for number, (name, standing) in enumerate(standings.items())
        }
    )
    routes = Routes(open_upstream=None)
    routes.waiting = Waiting(True, default, highest)
    return Priorities(ring, routes)


def head(*headers):
    plain = [(b"content-type", b"application/json"), *headers]
    return RequestHead(inventory.OPERATION_CHAT, b"/v1/chat/completions", plain)


@pytest.mark.parametrize("priority", Priority)
def test_a_client_asks_by_a_word(priority):
    assert asked([(HEADER, priority.name.lower().encode())]) is priority


def test_who_does_not_ask_has_no_word():
    assert asked([(b"host", b"t")]) is None


@pytest.mark.parametrize(
    "value",
    [b"", b"urgent", b"HIGH", b"high,low", b"3", b"true", b"h\xefgh", b"high\xc2\xa0", b"\xff",
     b"high" * 2_500],
)  # fmt: skip
def test_what_is_no_priority_is_refused_with_the_words_that_are(value):
    with pytest.raises(InvalidValue, match="low, normal, high") as refused:
        asked([(HEADER, value)])

    assert refused.value.param == "X-GenieHive-Priority"
    assert len(str(refused.value)) < 100


def test_two_priorities_are_one_only_if_they_are_the_same():
    twice = [(HEADER, b"low")] * 2

    assert asked(twice) is LOW
    with pytest.raises(InvalidValue):
        asked([*twice, (HEADER, b"high")])


def test_what_counts_first_is_what_the_request_says_then_its_role_then_its_key_then_all():
    found = priorities(default=NORMAL, mine=Standing(usual=LOW))

    assert found.of(HIGH, "mine", NORMAL) is HIGH
    assert found.of(None, "mine", NORMAL) is NORMAL
    assert found.of(None, "mine", None) is LOW
    assert found.of(None, "other", None) is NORMAL
    assert found.of(None, ANONYMOUS, None) is NORMAL


def test_nobody_asks_for_more_than_their_key_may():
    found = priorities(highest=NORMAL, low=Standing(highest=LOW), high=Standing(highest=HIGH))

    assert found.of(HIGH, "high", None) is HIGH
    with pytest.raises(
        OperationNotAllowed, match=r"high is more than .* at most normal"
    ) as refused:
        found.of(HIGH, ANONYMOUS, None)
    assert refused.value.param == "X-GenieHive-Priority"
    with pytest.raises(OperationNotAllowed, match=r"normal is more than .* at most low"):
        found.of(NORMAL, "low", None)


def test_a_role_lifts_nobody_above_what_their_key_may():
    assert priorities(mine=Standing(highest=LOW)).of(None, "mine", HIGH) is LOW


@given(asked=MAYBE, role=MAYBE, usual=MAYBE, highest=MAYBE, default=ANY, most=ANY)
def test_no_request_has_more_than_its_key_may(asked, role, usual, highest, default, most):
    found = priorities(default, most, mine=Standing(usual, highest))
    allowed = highest or most

    try:
        priority = found.of(asked, "mine", role)
    except OperationNotAllowed:
        assert asked is not None
        assert asked > allowed
    else:
        assert priority <= allowed
        assert asked in (None, priority)


def test_a_head_tells_what_is_asked_for():
    assert head((HEADER, b"low")).priority is LOW
    assert head().priority is None
    assert head().objection is None


def test_what_is_no_priority_speaks_against_a_request():
    refused = head((HEADER, b"urgent"))

    assert isinstance(refused.objection, InvalidValue)
    assert refused.priority is None
