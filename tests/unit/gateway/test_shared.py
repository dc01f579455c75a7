"""What other workers do counts at once, and is not counted again when control tells of it."""

import contextlib
from types import SimpleNamespace

import pytest

from gateway.balance import least_loaded, load
from gateway.breaker import Breaker
from gateway.cells import Busy, Cells
from gateway.config import Ejection
from gateway.shared import SharedUpstream
from gateway.upstream import Origin

pytestmark = pytest.mark.anyio

A, B = "h/a", "h/b"
BREAKER = Breaker(Ejection(), lambda: 0.0, lambda: None)


class Worker:
    """One worker's view of the services."""

    def __init__(self, table, number):
        self.cells = Cells(table.fd, 3, number)
        self.upstreams = {
            name: SharedUpstream(self.cells.cell(name), name, Origin("h", 1), lambda: 0.0, BREAKER)
            for name in (A, B)
        }

    def report(self):
        """Tell control as `Gateway.loads` does; return what control hears."""
        loads = {name: Busy(one.in_flight, one.pending) for name, one in self.upstreams.items()}
        self.cells.tell(loads)
        return {name: one.in_flight for name, one in loads.items()}

    def chosen(self):
        choices = [SimpleNamespace(upstream=one) for one in self.upstreams.values()]
        return least_loaded(choices, lambda: 0.0).upstream.service_id


@pytest.fixture
async def workers(anyio_backend):
    with contextlib.closing(Cells.create(3)) as table:
        yield [Worker(table, number) for number in range(3)]


async def test_a_siblings_requests_count_at_once(workers):
    one, two, _ = workers
    one.upstreams[A].in_flight += 3
    two.upstreams[A].in_flight += 1

    assert load(SimpleNamespace(upstream=two.upstreams[A])) == 4
    assert two.chosen() == B
    one.upstreams[A].in_flight -= 3
    two.upstreams[A].in_flight -= 1
    assert two.chosen() == A


async def test_siblings_are_counted_once_when_control_tells_of_them_too(workers):
    """To control each worker is a gateway, so its sums hold the siblings' requests."""
    one, two, three = workers
    one.upstreams[A].in_flight = 5
    two.upstreams[A].in_flight = 2
    reports = [worker.report()[A] for worker in (one, two)]
    other_gateways = 10

    three.upstreams[A].elsewhere = sum(reports) + other_gateways
    assert three.upstreams[A].elsewhere == 5 + 2 + other_gateways
    # What changed since is seen in the cells alone.
    one.upstreams[A].in_flight = 8
    assert three.upstreams[A].elsewhere == 8 + 2 + other_gateways


async def test_a_sibling_that_control_does_not_hear_is_not_taken_off(workers):
    one, two, _ = workers
    one.upstreams[A].in_flight = 5
    one.report()
    one.cells.unheard()  # its stream ended

    two.upstreams[A].elsewhere = 7
    assert two.upstreams[A].elsewhere == 5 + 7


async def test_what_control_tells_late_is_never_less_than_nothing(workers):
    one, two, _ = workers
    one.upstreams[A].in_flight = 5
    one.report()

    two.upstreams[A].elsewhere = 0
    assert two.upstreams[A].elsewhere == 5


async def test_what_control_tells_late_of_a_sibling_is_not_taken_for_others(workers):
    """The sibling told something else meanwhile; what control says is from before."""
    one, two, _ = workers
    one.upstreams[A].in_flight = 3
    control_knows = one.report()[A]
    one.upstreams[A].in_flight = 0
    one.report()

    two.upstreams[A].elsewhere = control_knows

    assert two.upstreams[A].elsewhere == 0
    one.report()
    two.upstreams[A].elsewhere = control_knows
    assert two.upstreams[A].elsewhere == 3  # by now it would have heard: these are of others


async def test_prompts_that_siblings_have_sent_are_pending_here_until_they_are_read(workers):
    one, two, three = (worker.upstreams[A] for worker in workers)
    one.pending += 0.3
    two.pending += 0.2

    assert one.pending_elsewhere == 0.2
    assert three.pending_elsewhere == pytest.approx(0.5)
    one.pending -= 0.3
    assert (one.pending, three.pending_elsewhere) == (0.0, 0.2)


async def test_pending_prompts_of_siblings_count_once_when_control_tells_of_them_too(workers):
    one, _, three = workers
    one.upstreams[A].pending = 0.3
    one.report()

    three.upstreams[A].pending_elsewhere = 0.3 + 2.0  # of another gateway
    assert three.upstreams[A].pending_elsewhere == pytest.approx(2.3)
    one.upstreams[A].pending = 0.0
    assert three.upstreams[A].pending_elsewhere == pytest.approx(2.0)
    three.upstreams[A].pending_elsewhere = 0.0
    assert three.upstreams[A].pending_elsewhere == 0.0


@pytest.mark.parametrize("absurd", [-1.0, float("nan"), -1e-17])
async def test_pending_prompts_that_cannot_be_are_none(workers, absurd):
    one, two, _ = workers
    one.upstreams[A].pending = absurd
    two.upstreams[A].pending_elsewhere = absurd

    assert two.upstreams[A].pending_elsewhere == 0.0
