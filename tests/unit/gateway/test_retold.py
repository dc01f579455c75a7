"""What siblings are told of requests comes back as it was, and has a bound."""

import msgspec
import pytest

from gateway import retold
from gateway.recent import Recent
from gateway.record import RUNNING, WAITING
from gateway.retold import Retold, Told
from gateway.steps import finished
from tests.unit.gateway.remembered import Over, record


class Telling:
    """A worker, and what it tells."""

    def __init__(self, limit=3):
        self.recent = Recent(limit)
        self.active = set()
        self.retold = Retold(self.recent, self.active, limit)

    def end(self, *numbers, **fields):
        for number in numbers:
            self.recent.add(Over(record(number, **fields)))

    def told(self):
        finished(self.retold.renew())
        return list(Told(self.retold.lines()).records())


@pytest.fixture
def worker():
    return Telling()


def test_what_is_under_way_comes_first_then_what_went_wrong_then_the_rest(worker):
    worker.end(1, 2)
    worker.end(3, outcome="upstream_error", status=502, message="refused")
    worker.active.add(Over(record(4, outcome=RUNNING, ended=None, status=0)))
    (running, failed, *answered) = worker.told()

    assert running == record(4, outcome=RUNNING, ended=None, status=0)
    assert failed == record(3, outcome="upstream_error", status=502, message="refused")
    assert answered == [record(2), record(1)]


def test_each_is_made_once(worker, monkeypatch):
    made = []
    kept = retold._encode
    monkeypatch.setattr(retold, "_encode", lambda one: made.append(one) or kept(one))
    worker.end(1, 2)
    worker.told()
    worker.end(3)

    assert worker.told() == [record(3), record(2), record(1)]
    assert made == [record(1), record(2), record(3)]


def test_of_more_than_are_remembered_the_last_ones_are_told(worker):
    worker.end(1)
    worker.told()
    worker.end(*range(2, 50))
    worker.active.update(Over(record(number, outcome=RUNNING)) for number in range(9))
    told = worker.told()

    assert [one.outcome for one in told[:3]] == [RUNNING] * 3
    assert told[3:] == [record(49), record(48), record(47)]


def test_what_is_under_way_is_told_as_long_as_it_is(worker):
    exchange = Over(record(1, outcome=RUNNING))
    worker.active.add(exchange)
    assert worker.told() == [exchange.told]

    worker.active.clear()
    assert worker.told() == []


def test_what_is_told_has_a_bound_and_the_oldest_goes(monkeypatch):
    worker = Telling(100)
    monkeypatch.setattr(retold, "MAX_BYTES", 5_000)
    worker.end(*range(100))
    told = worker.told()

    assert 5 < len(told) < 20
    assert told == [record(99 - place) for place in range(len(told))]
    assert len(msgspec.msgpack.encode(worker.retold.lines())) <= 5_100


def test_a_successor_goes_on_telling_what_ended(worker):
    worker.end(1, 2)
    worker.end(3, outcome="client_left")
    worker.active.update(Over(record(4, outcome=one)) for one in (RUNNING, WAITING))
    worker.told()
    successor = Telling()
    successor.retold.inherit(Told(worker.retold.lines()))
    successor.end(5)

    assert successor.told() == [record(3, outcome="client_left"), *map(record, (5, 2, 1))]
