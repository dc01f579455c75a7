"""How requests waited, as sums."""

from control.api.latency import bucket
from gateway.waited import Refusal, Waited


def test_each_that_waited_counts_by_how_long():
    waited = Waited()
    for seconds in (0.004, 0.004, 2.0):
        waited.over(seconds)

    assert waited.seconds == {bucket(0.004): 2, bucket(2.0): 1}


def test_refusals_count_by_their_reason():
    waited = Waited()
    for why in (Refusal.FULL, Refusal.FULL, Refusal.DEADLINE):
        waited.refuse(why)

    assert waited.refused == {"full": 2, "deadline": 1}


def test_sums_of_several_add_up():
    first, second = Waited(), Waited()
    for one in (first, second):
        one.over(1.0)
        one.refuse(Refusal.FULL)
    first.add(second)

    assert first.seconds == {bucket(1.0): 2}
    assert first.refused == {"full": 2}
    assert second.refused == {"full": 1}
