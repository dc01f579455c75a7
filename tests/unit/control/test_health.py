import pytest

from control.health import routable
from control.inventory import Health, HostState


@pytest.mark.parametrize("held_back", [False, True])
@pytest.mark.parametrize("health", Health)
@pytest.mark.parametrize("state", HostState)
def test_only_a_healthy_service_of_a_live_host_is_routable(state, health, held_back):
    expected = (state, health, held_back) == (HostState.ONLINE, Health.HEALTHY, False)

    assert routable(state, health, held_back=held_back) == expected
