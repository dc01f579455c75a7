from itertools import product

import pytest

from control.health import combined, falls, well
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


class TestReportedAndProbed:
    def test_the_worse_counts(self):
        worst_first = [Health.UNHEALTHY, Health.LOADING, Health.UNKNOWN, Health.HEALTHY]
        for reported, probed in product(worst_first, repeat=2):
            expected = min(reported, probed, key=worst_first.index)
            if probed is Health.UNKNOWN:
                expected = reported

            assert combined(reported, probed) is expected

    @pytest.mark.parametrize("reported", Health)
    def test_who_is_not_probed_is_as_its_node_says(self, reported):
        assert combined(reported, Health.UNKNOWN) is reported

    @pytest.mark.parametrize("reported", [one for one in Health if one is not Health.HEALTHY])
    @pytest.mark.parametrize("probed", Health)
    def test_a_probe_heals_nobody(self, reported, probed):
        assert combined(reported, probed) is not Health.HEALTHY


@pytest.mark.parametrize("before", Health)
@pytest.mark.parametrize("after", Health)
def test_who_was_well_and_does_not_work_has_fallen(before, after):
    expected = before is Health.HEALTHY and after in (Health.UNHEALTHY, Health.UNKNOWN)

    assert falls(before, after) is expected
