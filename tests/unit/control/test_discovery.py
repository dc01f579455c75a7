import base64

import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2

from control.api.channel import control_errors
from control.api.errors import InvalidValue, NotFound
from tests.unit.control.builders import host as stored_host
from tests.unit.control.builders import service as stored_service
from tests.unit.control.requests import registration, service

pytestmark = pytest.mark.anyio


async def fill(control, hosts):
    for n in range(hosts):
        host_id = f"h{n:03}"
        await control.registry.RegisterHost(
            registration(host_id, service(f"{host_id}/a"), service(f"{host_id}/b"))
        )


async def pages(call, request, field):
    found = []
    while True:
        with control_errors():
            page = await call(request)
        found.append(list(getattr(page, field)))
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_a_latency_beyond_all_reason_breaks_no_list(control):
    seen = inventory.ServiceObservation(health=inventory.HEALTH_HEALTHY)
    seen.latency_p50.seconds = 2**62
    await control.registry.RegisterHost(registration("h1", service(observation=seen)))
    found = await control.discovery.ListServices(pb.ListServicesRequest())

    assert not found.services[0].service.observation.HasField("latency_p50")


async def test_hosts_are_listed_in_pages_in_order(control):
    await fill(control, 7)
    found = await pages(control.discovery.ListHosts, pb.ListHostsRequest(page_size=3), "hosts")

    assert [[one.host_id for one in page] for page in found] == [
        ["h000", "h001", "h002"],
        ["h003", "h004", "h005"],
        ["h006"],
    ]


async def test_a_full_last_page_has_no_successor(control):
    await fill(control, 2)
    page = await control.discovery.ListHosts(pb.ListHostsRequest(page_size=2))

    assert page.next_page_token == ""


async def test_a_page_survives_what_leaves_between_two_pages(control):
    await fill(control, 4)
    first = await control.discovery.ListHosts(pb.ListHostsRequest(page_size=2))
    control.membership.deregister("h001", None, now=control.clock.now)
    second = await control.discovery.ListHosts(
        pb.ListHostsRequest(page_size=2, page_token=first.next_page_token)
    )

    assert [one.host_id for one in second.hosts] == ["h002", "h003"]


async def test_services_are_listed_of_all_hosts_or_of_one(control):
    await fill(control, 3)
    everything = await pages(
        control.discovery.ListServices, pb.ListServicesRequest(page_size=4), "services"
    )
    of_one = await control.discovery.ListServices(pb.ListServicesRequest(host_id="h001"))

    assert [len(page) for page in everything] == [4, 2]
    assert [one.service.service_id for one in of_one.services] == ["h001/a", "h001/b"]


@pytest.mark.parametrize(
    "token", ["x", "öö", "!!!!", "=", base64.b64encode(b"other:h1").decode(), "/w=="]
)
async def test_a_token_that_is_not_ours_is_invalid(control, token):
    for call, request in [
        (control.discovery.ListHosts, pb.ListHostsRequest(page_token=token)),
        (control.discovery.ListServices, pb.ListServicesRequest(page_token=token)),
    ]:
        with pytest.raises(InvalidValue, match="page_token"), control_errors():
            await call(request)


@pytest.mark.parametrize("size", [-1, 1_001])
async def test_an_odd_page_size_is_invalid(control, size):
    with pytest.raises(InvalidValue, match="page_size"), control_errors():
        await control.discovery.ListHosts(pb.ListHostsRequest(page_size=size))


async def test_a_host_tells_its_life(control):
    await control.registry.RegisterHost(registration("h1"))
    control.clock.now += 1.5
    host = (await control.discovery.GetHost(pb.GetHostRequest(host_id="h1"))).host

    assert (host.display_name, host.generation) == ("h1", 1)
    assert host.state == inventory.HOST_STATE_ONLINE
    assert host.heartbeat_time.seconds == 1_700_001_000


async def test_a_service_tells_whether_it_is_routed_to_and_how_busy_it_is(control):
    await control.registry.RegisterHost(registration("h1"))
    control.loads.tell("gateway", {"h1/s": 3})
    found = (await control.discovery.GetService(pb.GetServiceRequest(service_id="h1/s"))).service

    assert (found.routable, found.in_flight) == (True, 3)
    assert found.service.host_id == "h1"
    assert found.service.assets[0].asset_id == "m"
    assert found.service.observation.health == inventory.HEALTH_HEALTHY


async def test_what_is_not_registered_is_not_found(control):
    with pytest.raises(NotFound, match="'h1'"), control_errors():
        await control.discovery.GetHost(pb.GetHostRequest(host_id="h1"))
    for service_id in ("", "h1", "h1/s", "x" * 10_000):
        with pytest.raises(NotFound), control_errors():
            await control.discovery.GetService(pb.GetServiceRequest(service_id=service_id))


async def test_the_sums_of_the_cluster_are_right(control):
    control.membership.restore(stored_host("gone"), 1, [stored_service("gone/s")], heard=0.0)
    control.membership.end_grace(control.clock.now)
    control.membership.restore(stored_host("late"), 1, [stored_service("late/s")], heard=0.0)
    await control.registry.RegisterHost(
        registration("h1", service("h1/a", "m", "n", loaded=True), service("h1/b", "m"))
    )
    loading = inventory.ServiceObservation(health=inventory.HEALTH_LOADING)
    await control.registry.RegisterHost(
        registration("h2", service("h2/a", "m", observation=loading))
    )
    control.loads.tell("gateway", {"h1/a": 2})
    watch = control.routing.WatchRoutes()
    await watch.write(
        routing_service_pb2.WatchRoutesRequest(watch=routing_service_pb2.Watch(gateway_id="g1"))
    )
    version = (await watch.read()).update.identity.version
    control.clock.now += 7.0
    health = await control.discovery.GetClusterHealth(pb.GetClusterHealthRequest())

    assert (health.host_count, health.online_host_count, health.lost_host_count) == (4, 2, 1)
    assert (health.service_count, health.routable_service_count) == (5, 2)
    assert (health.asset_count, health.loaded_asset_count) == (3, 2)
    assert (health.in_flight, health.gateway_count) == (2, 1)
    assert health.route_version == version > 0
    assert health.uptime.seconds == 7
    assert health.control_version == "1.2.3"
    assert not health.settled


async def test_a_service_that_is_held_back_says_so_and_for_how_long(control):
    await fill(control, 1)
    service_id = next(control.membership.offers())[1].service.service_id
    for _ in range(4):
        control.membership.flaps.fell(service_id, control.clock.now)
    control.clock.now += 0.5

    answer = await control.discovery.GetService(pb.GetServiceRequest(service_id=service_id))
    assert answer.service.service.observation.detail == "flapping, held back for 40 s"
    assert not answer.service.routable
    health = await control.discovery.GetClusterHealth(pb.GetClusterHealthRequest())
    assert (health.routable_service_count, health.held_back_count) == (1, 1)


async def test_models_of_a_service_that_is_held_back_are_there(control):
    await fill(control, 1)
    before = await control.discovery.GetClusterHealth(pb.GetClusterHealthRequest())
    for _, offer in control.membership.offers():
        for _ in range(4):
            control.membership.flaps.fell(offer.service.service_id, control.clock.now)

    after = await control.discovery.GetClusterHealth(pb.GetClusterHealthRequest())
    assert after.routable_service_count == 0
    assert after.asset_count == before.asset_count > 0
    assert after.loaded_asset_count == before.loaded_asset_count


async def test_why_a_service_is_down_is_said_whether_or_not_it_is_held_back(control):
    down = inventory.ServiceObservation(health=inventory.HEALTH_UNHEALTHY, detail="refused")
    await control.registry.RegisterHost(registration("h1", service("h1/s", observation=down)))
    for _ in range(3):
        control.membership.flaps.fell("h1/s", control.clock.now)

    answer = await control.discovery.GetService(pb.GetServiceRequest(service_id="h1/s"))
    assert answer.service.service.observation.detail == "refused"


async def test_hosts_that_are_spared_are_counted(control):
    await fill(control, 5)
    control.clock.now += 100.0
    _, control.cluster.spared = control.membership.expire(control.clock.now)
    health = await control.discovery.GetClusterHealth(pb.GetClusterHealthRequest())

    assert (health.online_host_count, health.spared_host_count) == (5, 5)
