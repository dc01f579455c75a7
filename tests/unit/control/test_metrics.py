"""What scrapers are told of control."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from control.inventory import Health, Observation
from control.metrics import ALL, Metrics
from tests.series import series
from tests.unit.control.builders import beat, host, offer
from tests.unit.control.serving import serving

pytestmark = pytest.mark.anyio


class Disk:
    transactions = 7
    failures = 2


def metrics_of(control) -> Metrics:
    return Metrics(
        control.cluster, control.routes, control.loads, Disk(), control.edge.counts, lambda: 3
    )


async def test_how_the_cluster_stands_and_what_was_done(one_loop):
    async with serving() as control:
        offers = [offer("h1/a"), offer("h1/b", seen=Observation(health=Health.UNHEALTHY))]
        lease, _ = await control.cluster.register(host("h1"), "i", offers)
        seen = [(one.service.service_id, one.observation, None) for one in offers]
        control.cluster.beat(beat(lease, 1, *seen))
        control.edge.counts.count("/x/Get", "ok", 0.003, streaming=False)
        control.edge.counts.count("/x/Get", "not_found", 0.003, streaming=False)
        control.cluster.probes[Health.HEALTHY] += 4
        control.loads.tell("gateway", {"h1/a": 2}, waiting={"h1/a": 5, "h1/b": 1})
        control.publisher.publish()
        found = series((await metrics_of(control).text()).decode())

    assert found["hosts,online"] == 1
    assert found["hosts,lost"] == 0
    assert found["services,unhealthy"] == 1
    assert found["heartbeats_total"] == 1
    assert (found["in_flight_requests"], found["waiting_requests"]) == (2, 6)
    assert found["route_version"] == 1
    assert found["watchers"] == 0
    assert found["benchmark_samples"] == 3
    assert found["probes_total,healthy"] == 4
    assert found["rpcs_total,/x/Get,ok"] == found["rpcs_total,/x/Get,not_found"] == 1
    assert found["rpc_duration_seconds_count,/x/Get"] == 2
    assert found["store_transactions_total"] == 7
    assert found["store_failures_total"] == 2


async def test_every_family_is_told_once_and_by_conventions(one_loop):
    async with serving() as control:
        text = (await metrics_of(control).text()).decode()

    told = list(text_string_to_metric_families(text))
    assert [one.name for one in told] == [one.name for one in ALL]
    assert [one.type for one in told] == [one.kind for one in ALL]
    for one in ALL:
        assert one.name.startswith("geniehive_control_")
        assert one.help.endswith(".")
