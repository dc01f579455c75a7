"""What waits to be read is counted while it waits, and waits for nobody for ever."""

import asyncio

import pytest

from gateway.config import Config
from gateway.gateway import Gateway
from gateway.unread import Unread

pytestmark = pytest.mark.anyio


class Full(asyncio.Transport):
    """A transport with so many bytes that its peer did not read."""

    def __init__(self, unread: int) -> None:
        super().__init__()
        self.unread = unread
        self.cut = False

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.cut = True


@pytest.fixture
async def gateway():
    timeouts = {"idle": 10.0, "total": 100.0}
    return Gateway(Config(timeouts=timeouts), clock=lambda: 0.0)


async def test_what_waits_is_memory_under_way(gateway):
    transport = Full(1_000)
    unread = Unread(gateway, transport)
    unread.began()
    assert gateway.admission.held == 1_000

    transport.unread = 300
    gateway.sweep(1.0)
    assert gateway.admission.held == 300

    unread.over()
    assert gateway.admission.held == 0
    assert not gateway.incoming


async def test_who_reads_nothing_is_cut(gateway):
    transport = Full(1_000)
    Unread(gateway, transport).began()

    gateway.sweep(10.0)
    assert not transport.cut
    gateway.sweep(10.1)
    assert transport.cut


async def test_who_reads_a_little_is_waited_for_but_not_for_ever(gateway):
    transport = Full(1_000)
    Unread(gateway, transport).began()
    for second in range(5, 101, 5):
        transport.unread -= 1
        gateway.sweep(second)
        assert not transport.cut

    transport.unread -= 1
    gateway.sweep(101)
    assert transport.cut


async def test_what_never_began_is_over_at_no_cost(gateway):
    Unread(gateway, Full(1_000)).over()

    assert gateway.admission.held == 0
