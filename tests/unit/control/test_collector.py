import gc

import pytest

from control.collector import THRESHOLDS, calm


@pytest.fixture
def as_before():
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_is_loaded_is_looked_at_no_more_and_what_is_new_still_is(as_before):
    calm()
    assert gc.get_freeze_count() > 1_000
    assert gc.get_threshold() == THRESHOLDS
    one = []
    one.append(one)
    del one

    assert gc.collect() >= 1
