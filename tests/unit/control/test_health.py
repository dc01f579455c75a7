import pytest

from control.health import well
from control.inventory import Availability, Health, HostState


@pytest.mark.parametrize("health", Health)
@pytest.mark.parametrize("state", HostState)
def test_only_a_healthy_service_of_a_live_host_is_routed_to(state, health):
    expected = (state, health) == (HostState.ONLINE, Health.HEALTHY)

    assert well(state, health) == expected


@pytest.mark.parametrize("availability", Availability)
def test_a_service_that_its_owner_keeps_back_is_not_routed_to(availability):
    expected = availability in (Availability.AVAILABLE, Availability.BUSY)

    assert well(HostState.ONLINE, Health.HEALTHY, availability) == expected
