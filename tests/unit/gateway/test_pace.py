"""How soon those who wait are served."""

import pytest

from gateway.load import Need
from gateway.pace import least_s, served_a_second, wait_s, work_s
from gateway.rates import Learned
from gateway.route import Choice
from gateway.told import Told
from tests.unit.gateway.pushed import StubUpstream

NEED = Need(400)


def services(*slots, known=True):
    """Return choices of as many services, which read 1000 tokens a second and write 40."""
    learned = Learned()
    if known:
        for number in range(len(slots)):
            learned.tell([Told(f"h/{number}", "m", 1_000.0, ((1, 40.0),), answer=200.0)])
    found = []
    for number, count in enumerate(slots):
        upstream = StubUpstream(f"h/{number}", None)
        upstream.resize(count)
        rates = learned.rates(upstream.service_id, "m")
        found.append(Choice(upstream, b'"m"', b"", 0.5, 0, 0.0, None, rates))
    return found


def test_a_request_is_worth_what_it_takes_of_the_best_engine():
    alone = 0.02 + 400 / 4 / 1_000 + 200 / 40

    assert work_s(services(1), NEED) == pytest.approx(alone)
    assert work_s(services(1, 4), NEED) < alone / 2
    assert work_s([], NEED) == 1.0


def test_who_is_first_waits_for_one_to_end_and_others_for_the_work_before_them():
    choices = services(1, 1)
    work = work_s(choices, NEED)

    assert wait_s(choices, NEED, work, 0.0) == pytest.approx(work / 2)
    assert wait_s(choices, NEED, work, 60.0) == pytest.approx((work + 60.0) / 2)


def test_a_long_request_waits_no_longer_than_a_short_one():
    choices = services(1)
    long = Need(4_000_000)

    waits = wait_s(choices, long, work_s(choices, long), 10.0)
    assert waits == pytest.approx(10.0 + work_s(choices, Need(2_000)))


def test_of_many_services_the_first_tell_of_the_others():
    few, many = (served_a_second(services(*[2] * count), NEED) for count in (50, 5_000))

    assert many == pytest.approx(100 * few)
    assert served_a_second([], NEED) == 1.0


def test_a_guess_is_not_certain():
    assert least_s(services(1), 10.0) == 10.0
    assert least_s(services(1, known=False), 10.0) == 1.0
