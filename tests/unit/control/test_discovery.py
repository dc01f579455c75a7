import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as registry_pb
from geniehive.v1 import routing_service_pb2

from control.api.channel import control_errors
from control.api.errors import InvalidValue, NotFound
from control.inventory import Health, Operation, RequestPolicy
from control.probing.samples import Finding, HealthSample
from control.ranking.offering import Rules
from control.ranking.roles import Role, RoutingPolicy
from control.rules.reloading import Status
from tests.unit.control.builders import host as stored_host
from tests.unit.control.builders import service as stored_service
from tests.unit.control.requests import heartbeat, registration, service

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


LISTS = {
    "ListHosts": pb.ListHostsRequest,
    "ListServices": pb.ListServicesRequest,
    "ListRoles": pb.ListRolesRequest,
}


@pytest.mark.parametrize("method", LISTS)
async def test_a_token_that_is_not_ours_is_invalid(control, method):
    with pytest.raises(InvalidValue, match="page_token is not one of ours"), control_errors():
        await getattr(control.discovery, method)(LISTS[method](page_token="x"))


@pytest.mark.parametrize("method", LISTS)
@pytest.mark.parametrize("size", [-1, 1_001])
async def test_an_odd_page_size_is_invalid(control, method, size):
    with pytest.raises(InvalidValue, match="page_size"), control_errors():
        await getattr(control.discovery, method)(LISTS[method](page_size=size))


@pytest.mark.parametrize("method", LISTS)
async def test_an_operation_or_a_state_of_tomorrow_is_invalid(control, method):
    field = "state" if method == "ListHosts" else "operation"
    with pytest.raises(InvalidValue, match=f"{field} 99 is not one of ours"), control_errors():
        await getattr(control.discovery, method)(LISTS[method](**{field: 99}))


@pytest.mark.parametrize(
    "request_",
    [
        pb.ListServicesRequest(),
        pb.ListServicesRequest(host_id="h002"),
        pb.ListServicesRequest(host_id="h001", operation=inventory.OPERATION_CHAT),
        pb.ListServicesRequest(host_id="h001", routable=False),
        pb.ListHostsRequest(),
        pb.ListRolesRequest(),
    ],
    ids=str,
)
async def test_a_token_of_another_question_is_invalid_and_said_to_be(control, request_):
    await fill(control, 3)
    mine = pb.ListServicesRequest(host_id="h001", page_size=1)
    request_.page_token = (await control.discovery.ListServices(mine)).next_page_token
    method = type(request_).__name__.removesuffix("Request")

    with pytest.raises(InvalidValue, match="of other filters"), control_errors():
        await getattr(control.discovery, method)(request_)


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
    with pytest.raises(NotFound, match="'h1'"), control_errors():
        await control.discovery.GetHostInventory(pb.GetHostInventoryRequest(host_id="h1"))
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


def rule(control, *roles):
    control.publisher.rule(Rules({role.role_id: role for role in roles}))
    control.publisher.publish()


def seen(**fields):
    latency = fields.pop("latency_ms", None)
    message = inventory.ServiceObservation(health=inventory.HEALTH_HEALTHY, **fields)
    if latency is not None:
        message.latency_p50.FromMilliseconds(latency)
    return message


async def listed(control, **filters):
    found = await control.discovery.ListServices(pb.ListServicesRequest(**filters))
    return [one.service.service_id for one in found.services]


async def test_hosts_are_listed_by_their_state(control):
    control.membership.restore(stored_host("late"), 1, [], heard=0.0)
    await fill(control, 2)

    for state, expected in [
        (inventory.HOST_STATE_ONLINE, ["h000", "h001"]),
        (inventory.HOST_STATE_RETURNING, ["late"]),
        (inventory.HOST_STATE_LOST, []),
    ]:
        found = await control.discovery.ListHosts(pb.ListHostsRequest(state=state))
        assert [one.host_id for one in found.hosts] == expected


async def test_services_are_listed_by_what_they_do_and_whether_they_are_routed_to(control):
    down = inventory.ServiceObservation(health=inventory.HEALTH_UNHEALTHY)
    embed = service("h1/embed")
    embed.assets[0].operations[:] = [inventory.OPERATION_EMBEDDINGS]
    await control.registry.RegisterHost(
        registration("h1", service("h1/a"), embed, service("h1/down", observation=down))
    )

    assert await listed(control) == ["h1/a", "h1/down", "h1/embed"]
    assert await listed(control, operation=inventory.OPERATION_CHAT) == ["h1/a", "h1/down"]
    assert await listed(control, operation=inventory.OPERATION_EMBEDDINGS) == ["h1/embed"]
    assert await listed(control, routable=True) == ["h1/a", "h1/embed"]
    assert await listed(control, routable=False) == ["h1/down"]
    assert await listed(control, routable=False, operation=inventory.OPERATION_EMBEDDINGS) == []
    assert await listed(control, host_id="nobody") == []


async def test_the_last_page_is_known_by_what_belongs_to_the_list(control):
    """Others that come after it need no further page."""
    down = inventory.ServiceObservation(health=inventory.HEALTH_UNHEALTHY)
    await control.registry.RegisterHost(
        registration("h1", service("h1/a"), service("h1/z", observation=down))
    )
    page = await control.discovery.ListServices(pb.ListServicesRequest(page_size=1, routable=True))

    assert ([one.service.service_id for one in page.services], page.next_page_token) == (
        ["h1/a"],
        "",
    )


async def test_a_page_that_has_grown_large_has_fewer_entries_and_a_successor(control):
    everything = []
    for host_id in ("h1", "h2", "h3"):
        large = [service(f"{host_id}/{number}") for number in range(10)]
        for one in large:
            one.assets[0].request_policy.system_prompt = "x" * 60_000
        everything += [one.service_id for one in large]
        await control.registry.RegisterHost(registration(host_id, *large))
    found = await pages(control.discovery.ListServices, pb.ListServicesRequest(), "services")

    assert [one.service.service_id for page in found for one in page] == everything
    assert [len(page) for page in found] == [18, 12]


async def test_a_service_tells_its_roles_and_how_it_does(control):
    rule(
        control,
        Role("b", Operation.CHAT),
        Role("a", Operation.CHAT),
        Role("loaded", Operation.CHAT, routing=RoutingPolicy(require_loaded=True)),
        Role("embed", Operation.EMBEDDINGS),
    )
    told = seen(latency_ms=250, tokens_per_second=30.0)
    await control.registry.RegisterHost(registration("h1", service("h1/s", observation=told)))
    control.publisher.publish()
    control.clock.now += 2.0
    found = (await control.discovery.GetService(pb.GetServiceRequest(service_id="h1/s"))).service

    assert [(one.role_id, one.asset_id) for one in found.roles] == [("a", "m"), ("b", "m")]
    assert found.health == inventory.HEALTH_HEALTHY
    assert found.latency_p50.ToMilliseconds() == 250
    assert found.tokens_per_second == 30.0
    assert found.update_time.ToSeconds() == 1_700_001_000
    assert not found.HasField("held_back")


async def test_what_is_not_known_of_a_service_is_absent(control):
    await control.registry.RegisterHost(registration("h1"))
    found = (await control.discovery.GetService(pb.GetServiceRequest(service_id="h1/s"))).service

    for field in ("latency_p50", "tokens_per_second", "held_back", "measured", "probe"):
        assert not found.HasField(field)


async def test_a_service_that_is_down_serves_no_role(control):
    rule(control, Role("chat", Operation.CHAT))
    down = inventory.ServiceObservation(health=inventory.HEALTH_UNHEALTHY)
    await control.registry.RegisterHost(registration("h1", service("h1/s", observation=down)))
    control.publisher.publish()
    found = (await control.discovery.GetService(pb.GetServiceRequest(service_id="h1/s"))).service

    assert (list(found.roles), found.health) == ([], inventory.HEALTH_UNHEALTHY)


async def test_a_service_that_is_held_back_tells_for_how_long(control):
    await fill(control, 1)
    for _ in range(3):
        control.membership.flaps.fell("h000/a", control.clock.now)
    control.clock.now += 0.5
    found = (await control.discovery.GetService(pb.GetServiceRequest(service_id="h000/a"))).service

    assert found.held_back.ToMilliseconds() == 19_500


async def test_the_inventory_of_a_host_is_all_that_its_node_said_and_when(control):
    await fill(control, 2)
    control.clock.now += 1.5
    request = pb.GetHostInventoryRequest(host_id="h001")
    found = await control.discovery.GetHostInventory(request)

    assert found.host.host_id == "h001"
    assert [one.service.service_id for one in found.services] == ["h001/a", "h001/b"]
    assert found.report_time.ToSeconds() == 1_700_001_000
    assert found.report_age.ToMilliseconds() == 1_500


async def test_the_inventory_of_a_host_has_what_else_is_on_its_machine(control):
    request = registration("h1")
    gpu = request.host.resources.gpus.add(gpu_id="GPU-1", name="RTX 4090", memory_bytes=24 << 30)
    request.machine.model_files.add(path="/m/a.gguf", size_bytes=5)
    request.machine.model_file_count = 1
    lease = (await control.registry.RegisterHost(request)).lease
    asked = pb.GetHostInventoryRequest(host_id="h1")
    found = await control.discovery.GetHostInventory(asked)
    assert found.machine == request.machine

    beat = heartbeat(lease, 1, "h1/s")
    beat.metrics.gpus.add(gpu_id="GPU-1", memory_used_bytes=9 << 30)
    beat.machine.problems.append("/m: permission denied")
    await control.registry.SendHeartbeat(registry_pb.SendHeartbeatRequest(heartbeat=beat))
    found = await control.discovery.GetHostInventory(asked)

    assert found.machine == beat.machine
    assert list(found.host.resources.gpus) == [gpu]
    assert found.host.metrics == beat.metrics


async def test_of_a_machine_that_was_not_told_nothing_is_said(control):
    await control.registry.RegisterHost(registration("h1"))
    found = await control.discovery.GetHostInventory(pb.GetHostInventoryRequest(host_id="h1"))

    assert not found.HasField("machine")


async def test_roles_are_listed_in_pages_in_order_and_by_what_they_are_for(control):
    names = ["b", "c", "a"]
    rule(control, *(Role(n, Operation.CHAT) for n in names), Role("e", Operation.EMBEDDINGS))
    of_chat = pb.ListRolesRequest(page_size=2, operation=inventory.OPERATION_CHAT)
    everything = await pages(control.discovery.ListRoles, pb.ListRolesRequest(), "roles")

    assert [one.role.role_id for (*page,) in everything for one in page] == ["a", "b", "c", "e"]
    assert [
        [one.role.role_id for one in page]
        for page in await pages(control.discovery.ListRoles, of_chat, "roles")
    ] == [["a", "b"], ["c"]]


async def test_a_role_tells_who_serves_it_as_gateways_are_told(control):
    shaped = RequestPolicy(system_prompt="be brief")
    rule(
        control,
        Role("chat", Operation.CHAT, request_policy=shaped, stand_ins=("other",)),
        Role("other", Operation.CHAT, routing=RoutingPolicy(strategy="scored")),
    )
    control.status = Status(loaded_at=1_700_000_000.0)
    await control.registry.RegisterHost(
        registration(
            "h1",
            service("h1/cold", observation=seen(latency_ms=100)),
            service("h1/slow", loaded=True, observation=seen(latency_ms=2_000)),
            service("h1/unknown", loaded=True),
        )
    )
    control.publisher.publish()
    found = (await control.discovery.GetRole(pb.GetRoleRequest(role_id="chat"))).role
    first, *_ = control.compiler.targets[Operation.CHAT]["chat"]

    assert (found.role.role_id, found.role.operation) == ("chat", inventory.OPERATION_CHAT)
    assert found.strategy == routing_service_pb2.STRATEGY_LEAST_LOADED
    assert list(found.fallback_roles) == ["other"]
    assert (found.candidate_count, found.loaded_candidate_count) == (3, 2)
    assert found.best_latency_p50.ToMilliseconds() == 100
    assert (found.service_id, found.asset_id) == (first.service_id, "m")
    assert found.effective_request_policy.system_prompt == "be brief"
    assert found.update_time.ToSeconds() == 1_700_000_000
    other = (await control.discovery.GetRole(pb.GetRoleRequest(role_id="other"))).role
    assert other.strategy == routing_service_pb2.STRATEGY_SCORED
    assert not other.HasField("effective_request_policy")


async def test_a_role_that_nobody_serves_says_so(control):
    rule(control, Role("chat", Operation.CHAT))
    found = (await control.discovery.GetRole(pb.GetRoleRequest(role_id="chat"))).role

    assert (found.candidate_count, found.service_id, found.asset_id) == (0, "", "")
    assert not found.HasField("best_latency_p50")


async def test_a_role_that_was_removed_is_gone(control):
    rule(control, Role("chat", Operation.CHAT))
    rule(control)

    assert not (await control.discovery.ListRoles(pb.ListRolesRequest())).roles
    for role_id in ("chat", "", "x" * 10_000):
        with pytest.raises(NotFound, match="is not in the catalog"), control_errors():
            await control.discovery.GetRole(pb.GetRoleRequest(role_id=role_id))


async def test_the_cluster_says_what_is_wrong_with_what_is_written_about_routing(control):
    control.status = Status(roles=3, problem="roles.yaml:1: no")
    lost = inventory.ServiceObservation(health=inventory.HEALTH_UNHEALTHY)
    control.membership.restore(stored_host("gone"), 1, [stored_service("gone/s")], heard=0.0)
    await control.registry.RegisterHost(
        registration("h1", service("h1/a"), service("h1/b", observation=lost))
    )
    health = await control.discovery.GetClusterHealth(pb.GetClusterHealthRequest())

    assert (health.role_count, health.catalog_problem) == (3, "roles.yaml:1: no")
    assert (health.service_count, health.healthy_service_count) == (3, 1)


def probe(control, *found):
    asked = control.membership.offer("h1/s")[1].service
    for health in found:
        well = health is Health.HEALTHY
        finding = Finding(health, {"http_ok": well}, "" if well else "answers 500 at /health")
        control.clock.now += 10.0
        at = control.clock.wall_time(control.clock())
        control.cluster.probed(asked, HealthSample(finding, at, 0.002, 3, 1))


async def test_a_service_that_probes_call_unwell_says_so_beside_what_its_node_says(control):
    await control.registry.RegisterHost(registration("h1"))
    request = pb.GetServiceRequest(service_id="h1/s")
    assert not (await control.discovery.GetService(request)).service.HasField("probe")
    probe(control, Health.UNHEALTHY, Health.UNHEALTHY, Health.HEALTHY)
    found = (await control.discovery.GetService(request)).service
    condition = await control.discovery.GetClusterHealth(pb.GetClusterHealthRequest())

    assert found.health == found.probe.health == inventory.HEALTH_UNHEALTHY
    assert found.service.observation.health == inventory.HEALTH_HEALTHY
    assert not found.routable
    assert found.probe.probe_time.seconds == 1_700_001_030
    assert found.probe.detail == ""
    assert condition.healthy_service_count == 0


async def test_samples_of_probes_are_listed_the_newest_first_in_pages(control):
    await control.registry.RegisterHost(registration("h1"))
    probe(control, *[Health.HEALTHY] * 12, Health.UNHEALTHY)
    request = pb.ListHealthSamplesRequest(service_id="h1/s", page_size=4)
    found = await pages(control.discovery.ListHealthSamples, request, "samples")
    samples = [one for page in found for one in page]
    first = samples[0]

    assert [len(page) for page in found] == [4, 4, 2]
    assert [one.observed_time.seconds for one in samples] == [
        1_700_001_130 - 10 * n for n in range(10)
    ]
    assert len({one.sample_id for one in samples}) == 10
    assert first.service_id == "h1/s"
    assert first.health == inventory.HEALTH_UNHEALTHY
    assert (dict(first.checks), first.detail) == ({"http_ok": False}, "answers 500 at /health")
    assert first.latency.ToMilliseconds() == 2
    assert (first.in_flight, first.queue_depth) == (3, 1)


async def test_a_service_that_is_not_probed_has_no_samples_and_one_that_is_unknown_is_not_found(
    control,
):
    await control.registry.RegisterHost(registration("h1"))
    call = control.discovery.ListHealthSamples
    found = await call(pb.ListHealthSamplesRequest(service_id="h1/s"))

    assert (len(found.samples), found.next_page_token) == (0, "")
    with pytest.raises(NotFound, match="'h1/other'"), control_errors():
        await call(pb.ListHealthSamplesRequest(service_id="h1/other"))
    with pytest.raises(InvalidValue, match="page_token"), control_errors():
        await call(pb.ListHealthSamplesRequest(service_id="h1/s", page_token="garbage"))
    with pytest.raises(InvalidValue, match="page_size 1001"), control_errors():
        await call(pb.ListHealthSamplesRequest(service_id="h1/s", page_size=1_001))
