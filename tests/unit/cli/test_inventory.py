"""Questions about what there is, against the test server of gRPC."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc_testing
import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory

from cli.inventory import Inventory, unknown
from cli.output import UNKNOWN, Failure
from control.api import auth
from tests.unit.cli.clusters import host, role, status

DISCOVERY = pb.DESCRIPTOR.services_by_name["DiscoveryService"]
SECONDS = 5.0  # ends a client that the test forgot


@pytest.fixture
def channel():
    return grpc_testing.channel([DISCOVERY], grpc_testing.strict_real_time())


@pytest.fixture
def asked(channel):
    return Inventory(channel, SECONDS, auth.metadata("operator", "secret"))


@pytest.fixture
def client():
    """Runs the client, which blocks, while the test plays control."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def answer(channel, method, response=None, reason=""):
    """Answer the next use of `method`; return who asked, and what."""
    metadata, request, call = channel.take_unary_unary(DISCOVERY.methods_by_name[method])
    call.send_initial_metadata(())
    status = grpc.StatusCode.OK if response is not None else grpc.StatusCode.NOT_FOUND
    call.terminate(response, (("geniehive-reason", reason),), status, "control says why")
    return dict(metadata)["authorization"], request


def test_filters_travel_as_they_were_typed(channel, asked, client):
    client.submit(asked.hosts, "lost")
    presented, request = answer(channel, "ListHosts", pb.ListHostsResponse())
    assert presented == "Bearer secret"
    assert request == pb.ListHostsRequest(page_size=1_000, state=inventory.HOST_STATE_LOST)

    client.submit(asked.services, "tower", "embeddings", False)
    _, request = answer(channel, "ListServices", pb.ListServicesResponse())
    assert request == pb.ListServicesRequest(
        page_size=1_000,
        host_id="tower",
        operation=inventory.OPERATION_EMBEDDINGS,
        routable=False,
    )

    client.submit(asked.roles, "chat")
    _, request = answer(channel, "ListRoles", pb.ListRolesResponse())
    assert request == pb.ListRolesRequest(page_size=1_000, operation=inventory.OPERATION_CHAT)


def test_without_filters_nothing_is_left_out(channel, asked, client):
    client.submit(asked.services)
    _, request = answer(channel, "ListServices", pb.ListServicesResponse())

    assert request == pb.ListServicesRequest(page_size=1_000)


def test_every_page_is_asked_for(channel, asked, client):
    listing = client.submit(asked.roles)
    answer(channel, "ListRoles", pb.ListRolesResponse(roles=[role("a")], next_page_token="t"))
    _, request = answer(channel, "ListRoles", pb.ListRolesResponse(roles=[role("b")]))

    assert request.page_token == "t"
    assert [one.role.role_id for one in listing.result(SECONDS)] == ["a", "b"]


def test_the_owner_of_a_service_is_asked_for_alone(channel, asked, client):
    asking = client.submit(asked.owner, status("tower/ollama").service)
    _, request = answer(channel, "GetHost", pb.GetHostResponse(host=host("tower")))

    assert request == pb.GetHostRequest(host_id="tower")
    assert asking.result(SECONDS).host_id == "tower"


def test_a_list_that_never_ends_is_given_up(asked):
    def endless(request, **_):
        return pb.ListRolesResponse(next_page_token="t", roles=[role("a")])

    assert len(asked._all(endless, pb.ListRolesRequest(), "roles")) == 1_000


@pytest.mark.parametrize(
    ("ask", "method", "listing", "names"),
    [
        ("host", "GetHostInventory", "ListHosts", pb.ListHostsResponse(hosts=[host("tower")])),
        (
            "service",
            "GetService",
            "ListServices",
            pb.ListServicesResponse(services=[status("tower", "m")]),
        ),
        ("role", "GetRole", "ListRoles", pb.ListRolesResponse(roles=[role("tower")])),
    ],
)
def test_an_unknown_name_is_told_with_those_like_it(
    channel, asked, client, ask, method, listing, names
):
    asking = client.submit(getattr(asked, ask), "towr")
    answer(channel, method, reason="not_found")
    answer(channel, listing, names)

    with pytest.raises(Failure, match=f"no {ask} 'towr'; similar: tower") as failed:
        asking.result(SECONDS)
    assert failed.value.exit_code == UNKNOWN
    assert failed.value.fix == f"geniehive {ask}s"


def test_at_most_three_names_are_similar_and_none_may_be():
    names = [f"tower-{number}" for number in range(10)]

    assert str(unknown("host", "tower-x", names)).count(",") == 2
    assert str(unknown("host", "zzz", names)) == "no host 'zzz'"
    assert len(str(unknown("host", "x" * 100_000, names))) < 200
