"""Reads the cluster from control: a blocking client, since a command does one thing at a time."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as pb_grpc
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as registry_pb
from geniehive.v1 import registry_service_pb2_grpc as registry_grpc

from cli import running
from cli.output import BAD, NOT_ALLOWED, UNKNOWN, UNREACHABLE, USAGE, Failure
from control.api import auth
from control.api.channel import control_errors, sync_channel
from control.api.errors import Forbidden, GenieHiveError, NotFound, Unauthenticated, Unavailable
from control.api.settings import SettingsError

DEFAULT_CONTROL = "127.0.0.1:8801"
PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything that control knows of hosts and services, at one moment."""

    health: pb.GetClusterHealthResponse
    hosts: tuple[inventory.Host, ...]
    services: tuple[pb.ServiceStatus, ...]


def control_address(given: str | None, state: Path) -> str:
    """Return where control is: as given, as a running `up` notes it, else the default.

    given: the flag or `GENIEHIVE_CONTROL`.
    """
    if given:
        return given
    found = running.read(state)
    return (found.control if found else "") or DEFAULT_CONTROL


@contextmanager
def connected(address: str) -> Iterator[grpc.Channel]:
    """Open a channel to control; what goes wrong becomes a `Failure` that says what to do."""
    with closing(sync_channel(address)) as channel:
        try:
            with control_errors():
                yield channel
        except GenieHiveError as error:
            raise failure(error, address) from error


def read(channel: grpc.Channel, timeout: float, metadata: auth.Metadata = ()) -> Cluster:
    """Return the cluster. Each question may take `timeout` seconds.

    metadata: who asks, as `control.api.auth` makes it.

    Raises:
        grpc.RpcError: control did not answer, or refused.
    """
    stub = pb_grpc.DiscoveryServiceStub(channel)
    health = stub.GetClusterHealth(pb.GetClusterHealthRequest(), timeout=timeout, metadata=metadata)
    hosts: list[inventory.Host] = []
    token = ""
    while True:
        page = stub.ListHosts(
            pb.ListHostsRequest(page_size=PAGE_SIZE, page_token=token),
            timeout=timeout,
            metadata=metadata,
        )
        hosts += page.hosts
        token = page.next_page_token
        if not token:
            break
    services: list[pb.ServiceStatus] = []
    while True:
        more = stub.ListServices(
            pb.ListServicesRequest(page_size=PAGE_SIZE, page_token=token),
            timeout=timeout,
            metadata=metadata,
        )
        services += more.services
        token = more.next_page_token
        if not token:
            break
    return Cluster(health, tuple(hosts), tuple(services))


def remove_host(
    channel: grpc.Channel, host_id: str, timeout: float, metadata: auth.Metadata = ()
) -> None:
    """Remove a host and all its services.

    Raises:
        grpc.RpcError: control did not answer, refused, or does not know the host.
    """
    registry_grpc.RegistryServiceStub(channel).DeregisterHost(
        registry_pb.DeregisterHostRequest(host_id=host_id),
        timeout=timeout,
        metadata=metadata,
    )


def operator() -> auth.Metadata:
    """Return what whoever types the command presents: a key of the environment, if any.

    Raises:
        Failure: the environment holds what cannot be a key.
    """
    try:
        key = auth.key_from("GENIEHIVE_OPERATOR_KEY") or auth.key_from("GENIEHIVE_ADMIN_KEY")
    except SettingsError as error:
        raise Failure(str(error), USAGE, "invalid_key") from error
    return auth.metadata("operator", key)


def failure(error: GenieHiveError, address: str) -> Failure:
    """Return what a person can do about an error of control."""
    if isinstance(error, Unauthenticated | Forbidden):
        return Failure(
            f"control {address} refused: {error}",
            NOT_ALLOWED,
            error.code,
            fix="set GENIEHIVE_OPERATOR_KEY, or GENIEHIVE_ADMIN_KEY for changes, to a key of "
            "auth.*_api_keys of control",
        )
    if isinstance(error, NotFound):
        return Failure(str(error), UNKNOWN, error.code)
    if isinstance(error, Unavailable):
        said = str(error)
        refused = "refused" in said
        return Failure(
            f"control {address} {'refused' if refused else 'does not answer'}",
            UNREACHABLE,
            error.code,
            why="nothing listens, or only on loopback" if refused else _why(said),
            fix="run there: geniehive up; another one: --control HOST:PORT",
        )
    return Failure(f"control {address}: {error}", BAD, error.code)


def _why(said: str) -> str:
    """Return the cause inside a message of gRPC."""
    if "Deadline" in said:
        return "no answer in time; the machine may be off, or a firewall drops the connection"
    if "resolution" in said or "resolve" in said:
        return "the name is not known"
    return said
