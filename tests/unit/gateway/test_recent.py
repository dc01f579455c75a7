"""What is remembered of requests, and for how long."""

import pytest

from gateway.recent import Recent
from gateway.record import RUNNING, WAITING, Attempt
from gateway.totals import LEFT
from tests.unit.gateway.remembered import Over, record


def test_a_burst_of_good_ones_does_not_push_out_what_went_wrong():
    recent = Recent(limit=3)
    for number in range(100):
        recent.add(Over(record(number, outcome=LEFT if number < 5 else "answered")))

    assert sorted(one.began for one in recent.records()) == [
        record(number).began for number in (2, 3, 4, 97, 98, 99)
    ]


@pytest.mark.parametrize("outcome", [LEFT, "upstream_timeout", "model_not_found"])
def test_what_was_not_answered_is_noteworthy(outcome):
    assert record(outcome=outcome).noteworthy


def test_so_is_what_was_answered_by_the_second_who_was_asked_and_nothing_else():
    tried = Attempt(0.1, "tower/vllm", "tower", "qwen3:14b", "upstream_error", "refused")
    first = record().attempts[0]

    assert record(attempts=[tried, first]).noteworthy
    assert not record().noteworthy
    assert not record(outcome=RUNNING).noteworthy
    assert not record(outcome=WAITING).noteworthy
