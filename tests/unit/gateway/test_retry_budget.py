"""How many requests may be tried again at the same time."""

import pytest

from gateway.config import Failover
from gateway.retry_budget import RetryBudget


@pytest.mark.parametrize(("active", "places"), [(0, 3), (15, 3), (20, 4), (1_000, 200)])
def test_it_is_a_share_of_what_is_under_way_and_never_less_than_the_minimum(active, places):
    budget = RetryBudget(Failover(share=0.2, minimum=3))

    taken = [budget.begin(active) for _ in range(places + 2)]

    assert taken == [True] * places + [False] * 2
    assert (budget.under_way, budget.denied) == (places, 2)


def test_a_place_that_is_given_back_is_free():
    budget = RetryBudget(Failover(share=0, minimum=1))
    assert budget.begin(9)
    assert not budget.begin(9)

    budget.end()

    assert budget.begin(9)


def test_none_is_a_budget():
    assert not RetryBudget(Failover(share=0, minimum=0)).begin(1_000)
