import pytest

from control.vitals import vitals
from tests.unit.control.builders import beat, host, offer
from tests.unit.control.serving import serving

pytestmark = pytest.mark.anyio


class Disk:
    transactions = 7


async def test_vitals_tell_what_was_done_and_how_it_stands(one_loop):
    async with serving() as control:
        lease, _ = await control.cluster.register(host("h1"), "i", [offer("h1/s")])
        for sequence in range(1, 4):
            control.cluster.beat(beat(lease, sequence))
        told = vitals(control.cluster, Disk(), control.routes)

    assert told.startswith("hosts 1, online 1, returning 0, silent and spared 0, held back 0,")
    assert "heartbeats 3, " in told
    assert "transactions 7, " in told
