"""Reads the cluster from control: a blocking client, since a command does one thing at a time."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as pb_grpc
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import registry_service_pb2 as registry_pb
from geniehive.v1 import registry_service_pb2_grpc as registry_grpc

from cli import keys, running
from cli.access import Access
from cli.output import BAD, NOT_ALLOWED, UNKNOWN, UNREACHABLE, USAGE, Failure
from control.api import auth
from control.api.channel import control_errors, sync_channel
from control.api.errors import (
    Forbidden,
    GenieHiveError,
    NotFound,
    StorageUnavailable,
    Unauthenticated,
    Unavailable,
)
from control.api.ports import parse_address
from control.api.settings import SettingsError
from control.api.tls import channel_credentials

DEFAULT_CONTROL = "127.0.0.1:8801"
PAGE_SIZE = 1_000
MAX_PAGES = 1_000  # whatever control says
TLS_SECONDS = 1.0  # to find out why control does not answer

START = "run there: geniehive up; another one: --control HOST:PORT"
CA = "--ca FILE or GENIEHIVE_CA: the authority that signed its certificate"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why control cannot be reached, by signs of it in what gRPC says."""

    signs: tuple[str, ...]
    why: str
    fix: str = START


MISSED_TLS = Cause((), "it speaks TLS", CA)
CAUSES = (
    Cause(("CERTIFICATE_VERIFY_FAILED",), "its certificate is not trusted here", CA),
    Cause(
        ("not in peer certificate",),
        "its certificate is for another name",
        "--control with a name that the certificate holds",
    ),
    Cause(
        ("WRONG_VERSION_NUMBER",),
        "it speaks no TLS",
        "leave out --ca and --certificate, GENIEHIVE_CA and GENIEHIVE_CERTIFICATE",
    ),
    Cause(
        ("security handshaker",),
        "the files for TLS are not PEM, or key and certificate do not belong together",
        "look at --ca, --certificate and --key",
    ),
    Cause(
        ("http1.x",),
        "it speaks HTTP, as gateways do",
        f"the address of control; its usual port is {DEFAULT_CONTROL.rpartition(':')[2]}",
    ),
    Cause(("refused",), "nothing listens, or only on loopback"),
    Cause(
        ("Deadline", "tcp handshaker shutdown"),
        "no answer in time; the machine may be off, or a firewall drops the connection",
    ),
    Cause(
        ("Socket closed",),
        "it is no control, or asks for a certificate of ours",
        "--certificate FILE --key FILE, or " + START,
    ),
    Cause(("resolution", "resolv"), "the name is not known", "write its address, or another name"),
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything that control knows of hosts and services, at one moment."""

    health: pb.GetClusterHealthResponse
    hosts: tuple[inventory.Host, ...]
    services: tuple[pb.ServiceStatus, ...]


def control_address(access: Access) -> str:
    """Return where control is: as given, as a running `up` notes it, else the default."""
    if access.address:
        return access.address
    found = running.read(access.state)
    return (found.control if found else "") or DEFAULT_CONTROL


@contextmanager
def connected(access: Access) -> Iterator[grpc.Channel]:
    """Open a channel to control; what goes wrong becomes a `Failure` that says what to do."""
    address = control_address(access)
    tls = channel_credentials(access.ca, access.certificate, access.key) if access.tls else None
    with closing(sync_channel(address, tls)) as channel:
        try:
            with control_errors():
                yield channel
        except GenieHiveError as error:
            if isinstance(error, Unavailable) and not access.address:
                _say_if_it_comes_back(access.state, error)
            missed = tls is None and isinstance(error, Unavailable) and speaks_tls(address)
            raise failure(error, address, missed_tls=missed) from error


def _say_if_it_comes_back(state: Path, error: GenieHiveError) -> None:
    """Raise the failure of a control whose `up` still runs, and so starts it again."""
    if found := running.read(state):
        raise Failure(
            f"control of geniehive up (pid {found.pid}) does not answer now",
            UNREACHABLE,
            error.code,
            why="it is starting again; gateways serve clients meanwhile",
            fix=f"try again in a second; what happened: {state / 'logs' / 'control.log'}",
        ) from error


def speaks_tls(address: str) -> bool:
    """Return whether a TLS server answers at `address`, trusted or not."""
    try:
        ssl.get_server_certificate(parse_address(address), timeout=TLS_SECONDS)
    except (OSError, ValueError):
        return False
    return True


def read(channel: grpc.Channel, timeout: float, metadata: auth.Metadata = ()) -> Cluster:
    """Return the cluster. Each question may take `timeout` seconds.

    metadata: who asks, as `control.api.auth` makes it.

    Raises:
        grpc.RpcError: control did not answer, or refused.
    """
    stub = pb_grpc.DiscoveryServiceStub(channel)
    health = stub.GetClusterHealth(pb.GetClusterHealthRequest(), timeout=timeout, metadata=metadata)
    hosts = paged(stub.ListHosts, pb.ListHostsRequest(), "hosts", timeout, metadata)
    services = paged(stub.ListServices, pb.ListServicesRequest(), "services", timeout, metadata)
    return Cluster(health, tuple(hosts), tuple(services))


def paged(
    method: Callable[..., Any], request: Any, field: str, timeout: float, metadata: auth.Metadata
) -> list[Any]:
    """Return what is in the `field` of all pages of a list.

    method, request: of a list; the page is set here. timeout: seconds, of each page.

    Raises:
        grpc.RpcError: control did not answer, or refused.
    """
    found: list[Any] = []
    request.page_size = PAGE_SIZE
    for _ in range(MAX_PAGES):
        page = method(request, timeout=timeout, metadata=metadata)
        found += getattr(page, field)
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    return found


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


def operator(access: Access | None = None) -> auth.Metadata:
    """Return what whoever types the command presents: a key of the environment, if any.

    access: where to. The `up --lan` of the state folder, and nobody else, is shown its own
    admin key: whoever can read that file may do everything anyway.

    Raises:
        Failure: the environment holds what cannot be a key, or the folder what cannot be read.
    """
    return _presented(access, "GENIEHIVE_OPERATOR_KEY", "GENIEHIVE_ADMIN_KEY")


def administrator(access: Access | None = None) -> auth.Metadata:
    """Return the same for a command that changes something. Raises as `operator`."""
    return _presented(access, "GENIEHIVE_ADMIN_KEY", "GENIEHIVE_OPERATOR_KEY")


def _presented(access: Access | None, first: str, second: str) -> auth.Metadata:
    try:
        key = auth.key_from(first) or auth.key_from(second)
    except SettingsError as error:
        raise Failure(str(error), USAGE, "invalid_key") from error
    if key is None and access is not None and access.address is None:
        own = keys.presented(access.state)
        key = own.admin if own else None
    return auth.metadata("operator", key)


def failure(error: GenieHiveError, address: str, *, missed_tls: bool = False) -> Failure:
    """Return what a person can do about an error of control.

    missed_tls: control speaks TLS and we did not.
    """
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
    if isinstance(error, Unavailable) and not isinstance(error, StorageUnavailable):
        said = str(error)
        causes = (cause for cause in CAUSES if any(sign in said for sign in cause.signs))
        cause = MISSED_TLS if missed_tls else next(causes, Cause((), said))
        refused = "refused" in said
        return Failure(
            f"control {address} {'refused' if refused else 'does not answer'}",
            UNREACHABLE,
            error.code,
            why=cause.why,
            fix=cause.fix,
        )
    return Failure(f"control {address}: {error}", BAD, error.code)
