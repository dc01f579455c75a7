import pytest

from control.health import well
from control.inventory import Health, HostState


@pytest.mark.parametrize("health", Health)
@pytest.mark.parametrize("state", HostState)
def test_only_a_healthy_service_of_a_live_host_is_routed_to(state, health):
    expected = (state, health) == (HostState.ONLINE, Health.HEALTHY)

    assert well(state, health) == expected
