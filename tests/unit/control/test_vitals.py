import pytest

from control.rules.reloading import Status
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
        rules = Status(roles=3, problem="roles.yaml: one\nroles.yaml: another")
        told = vitals(control.cluster, Disk(), control.routes, rules)

    assert told.startswith("hosts 1, online 1, returning 0, silent and spared 0, held back 0,")
    assert "heartbeats 3, " in told
    assert "transactions 7, " in told
    assert told.endswith("roles 3, problems of what is written about routing 2")
