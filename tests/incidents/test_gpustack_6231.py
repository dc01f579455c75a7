"""gpustack/gpustack#6231: a worker once unreachable stayed so for ever."""

import pytest

from control.api.errors import LeaseLost
from control.inventory import HostState
from tests.unit.control.builders import beat, host, offer


def test_a_host_that_was_lost_is_back_when_it_registers(members):
    leases = {name: member.lease for name, member in members.members.items()}
    for name in set(leases) - {"h0"}:
        members.beat(beat(leases[name], 1), 3.5)
    assert members.expire(4.0) == (["h0"], 0)
    with pytest.raises(LeaseLost):
        members.beat(beat(leases["h0"], 1), 5.0)
    members.register(host("h0"), "i", [offer("h0/s")], 5.0)

    assert members.members["h0"].state is HostState.ONLINE
