"""Two keys on two real slots: who sent much at once does not hold up who sent little.

Order, not time: how many of the crowd were answered before the few, who came last.
"""

import asyncio

import pytest

from tests.waiting.arrivals import Arrival, replay
from tests.waiting.fairness import GATEWAY, TWO_SLOTS
from tests.waiting.fleet import MODEL, running_fleet
from tests.waiting.page import filled
from tests.waiting.pages import PAGE
from tests.waiting.results import KEPT, read

CROWD, FEW = 16, 2
LATER_S = 0.2  # when most of the crowd have come, and few were answered


def test_few_requests_of_one_key_pass_by_many_of_another(tmp_path):
    with running_fleet(tmp_path, [TWO_SLOTS], ("crowd", "alone"), GATEWAY) as fleet:
        crowd = [Arrival(0.0, 4, 16, MODEL, "crowd")] * CROWD
        few = [Arrival(LATER_S, 4, 16, MODEL, "alone")] * FEW
        fates = asyncio.run(replay(fleet.url, [*crowd, *few]))

    assert all(one.status == 200 and one.whole_s for one in fates)
    ends = sorted(fates, key=lambda one: one.arrival.at + one.whole_s)
    assert [one.arrival.key for one in ends[-FEW:]] == ["crowd"] * FEW
    waited = [one.waited_s for one in fates if one.arrival.key == "crowd"]
    assert sum(seconds > 0 for seconds in waited) >= CROWD - 2 * TWO_SLOTS.slots


@pytest.mark.skipif(not KEPT.exists(), reason="`make waiting` was never run")
def test_the_page_is_what_the_kept_results_amount_to():
    text = PAGE.read_text()
    assert filled(text, read()) == text, "run `make waiting`"
