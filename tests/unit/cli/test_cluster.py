"""The blocking client of control, against the test server of gRPC."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc_testing
import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as registry_pb

from cli import cluster, running
from cli.access import Access
from cli.output import BAD, NOT_ALLOWED, UNKNOWN, UNREACHABLE
from control.api import auth
from control.api.channel import control_errors
from control.api.errors import (
    ControlUnavailable,
    Forbidden,
    GenieHiveError,
    InvalidValue,
    NotFound,
    StorageUnavailable,
    Unauthenticated,
)

DISCOVERY = pb.DESCRIPTOR.services_by_name["DiscoveryService"]
REGISTRY = registry_pb.DESCRIPTOR.services_by_name["RegistryService"]
OPERATOR = auth.metadata("operator", "secret")
SECONDS = 5.0  # ends a client that the test forgot


@pytest.fixture
def channel():
    return grpc_testing.channel([DISCOVERY, REGISTRY], grpc_testing.strict_real_time())


@pytest.fixture
def client():
    """Runs the client, which blocks, while the test plays control."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def take(channel, service, method):
    """Return what was presented, the request and the call of the next use of `method`."""
    metadata, request, call = channel.take_unary_unary(service.methods_by_name[method])
    call.send_initial_metadata(())
    presented = {key: value for key, value in metadata if not key.startswith("grpc.")}
    return presented, request, call


def answer(channel, method, response):
    metadata, request, call = take(channel, DISCOVERY, method)
    call.terminate(response, (), grpc.StatusCode.OK, "")
    return metadata, request


def test_all_pages_are_read(channel, client):
    reading = client.submit(cluster.read, channel, SECONDS, OPERATOR)

    metadata, _ = answer(channel, "GetClusterHealth", pb.GetClusterHealthResponse(host_count=2))
    assert metadata == {"authorization": "Bearer secret"}
    hosts = [inventory.Host(host_id="a"), inventory.Host(host_id="b")]
    first = pb.ListHostsResponse(hosts=hosts[:1], next_page_token="more")
    assert answer(channel, "ListHosts", first)[1].page_token == ""
    assert (
        answer(channel, "ListHosts", pb.ListHostsResponse(hosts=hosts[1:]))[1].page_token == "more"
    )
    services = [pb.ServiceStatus(routable=True)]
    listed = pb.ListServicesResponse(services=services)
    assert answer(channel, "ListServices", listed)[1].page_token == ""

    found = reading.result(SECONDS)
    assert (found.hosts, found.services) == (tuple(hosts), tuple(services))
    assert found.health.host_count == 2


def test_without_a_key_nothing_is_presented(channel, client):
    reading = client.submit(cluster.read, channel, SECONDS)
    metadata, _, call = take(channel, DISCOVERY, "GetClusterHealth")
    call.terminate(None, (), grpc.StatusCode.UNAVAILABLE, "down")

    assert metadata == {}
    with pytest.raises(grpc.RpcError):
        reading.result(SECONDS)


def test_host_is_removed_without_a_lease(channel, client):
    removing = client.submit(cluster.remove_host, channel, "attic", SECONDS, OPERATOR)
    metadata, request, call = take(channel, REGISTRY, "DeregisterHost")
    call.terminate(registry_pb.DeregisterHostResponse(), (), grpc.StatusCode.OK, "")
    removing.result(SECONDS)

    assert metadata == {"authorization": "Bearer secret"}
    assert request == registry_pb.DeregisterHostRequest(host_id="attic")


def test_reason_of_control_becomes_its_error(channel, client):
    def remove():
        with control_errors():
            cluster.remove_host(channel, "attic", SECONDS)

    removing = client.submit(remove)
    _, _, call = take(channel, REGISTRY, "DeregisterHost")
    call.terminate(
        None, (("geniehive-reason", "not_found"),), grpc.StatusCode.NOT_FOUND, "no attic"
    )

    with pytest.raises(NotFound, match="no attic"):
        removing.result(SECONDS)


@pytest.mark.parametrize(
    ("error", "exit_code", "said"),
    [
        (
            ControlUnavailable("... Connection refused"),
            UNREACHABLE,
            "control c:1 refused\nwhy: nothing",
        ),
        (
            ControlUnavailable("Deadline Exceeded"),
            UNREACHABLE,
            "does not answer\nwhy: no answer in",
        ),
        (ControlUnavailable("DNS resolution failed"), UNREACHABLE, "why: the name is not known"),
        (
            ControlUnavailable("CERTIFICATE_VERIFY_FAILED"),
            UNREACHABLE,
            "not trusted here\nfix: --ca",
        ),
        (ControlUnavailable("x is not in peer certificate"), UNREACHABLE, "for another name"),
        (ControlUnavailable("WRONG_VERSION_NUMBER"), UNREACHABLE, "it speaks no TLS"),
        (ControlUnavailable("connect an http1.x server"), UNREACHABLE, "usual port is 8801"),
        (ControlUnavailable("tcp handshaker shutdown"), UNREACHABLE, "the machine may be off"),
        (ControlUnavailable("odd"), UNREACHABLE, "why: odd"),
        (Unauthenticated("key not known"), NOT_ALLOWED, "fix: set GENIEHIVE_OPERATOR_KEY"),
        (Forbidden("not yours"), NOT_ALLOWED, "not yours"),
        (NotFound("no host 'attic'"), UNKNOWN, "error: no host 'attic'"),
        (InvalidValue("bad"), BAD, "bad"),
        (StorageUnavailable("the disk is full"), BAD, "control c:1: the disk is full"),
        (GenieHiveError("bug"), BAD, "bug"),
    ],
)
def test_every_error_has_an_exit_code_and_words(error, exit_code, said):
    failure = cluster.failure(error, "c:1")

    assert failure.exit_code == exit_code
    assert said in failure.text()


def test_control_is_where_it_is_said_else_where_up_runs_else_the_default(tmp_path):
    assert cluster.control_address(Access("h:1", tmp_path)) == "h:1"
    assert cluster.control_address(Access(None, tmp_path)) == "127.0.0.1:8801"

    running.write(tmp_path, running.ourselves("127.0.0.1:7", "http://127.0.0.1:8"))
    assert cluster.control_address(Access(None, tmp_path)) == "127.0.0.1:7"


def test_a_control_whose_up_still_runs_is_coming_back(tmp_path):
    running.write(tmp_path, running.ourselves("127.0.0.1:1", "http://127.0.0.1:8"))
    place = Access(None, tmp_path)
    with pytest.raises(cluster.Failure) as failed, cluster.connected(place) as channel:
        cluster.read(channel, SECONDS)

    assert failed.value.exit_code == UNREACHABLE
    assert "it is starting again" in failed.value.text()
    assert "control.log" in failed.value.text()


def test_nothing_listening_is_unreachable(tmp_path):
    nowhere = Access("127.0.0.1:1", tmp_path)
    with pytest.raises(cluster.Failure) as failed, cluster.connected(nowhere) as channel:
        cluster.read(channel, SECONDS)

    assert failed.value.exit_code == UNREACHABLE
    assert str(failed.value) == "control 127.0.0.1:1 refused"
