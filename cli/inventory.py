"""Asks control what there is: lists by filters, or one by its name."""

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as pb_grpc
from geniehive.v1 import inventory_pb2 as inventory

from cli.cluster import paged
from cli.output import UNKNOWN, Failure
from control.api import auth
from control.api.channel import control_errors
from control.api.errors import NotFound
from control.api.route_documents import OPERATION_VALUES

MAX_NEAR = 3


class Inventory:
    """What control knows, asked for as who types.

    timeout: seconds, of each question. Every method raises `grpc.RpcError` when control does
    not answer, or refuses.
    """

    def __init__(self, channel: grpc.Channel, timeout: float, metadata: auth.Metadata = ()) -> None:
        self._stub = pb_grpc.DiscoveryServiceStub(channel)
        self._timeout = timeout
        self._metadata = metadata

    def hosts(self, state: str | None = None) -> list[inventory.Host]:
        """Return the hosts in order. state: only those in it, a word."""
        value = f"HOST_STATE_{state.upper()}" if state else None
        return self._all(self._stub.ListHosts, pb.ListHostsRequest(state=value), "hosts")

    def services(
        self,
        host_id: str | None = None,
        operation: str | None = None,
        routable: bool | None = None,
    ) -> list[pb.ServiceStatus]:
        """Return the services in order. operation: only those that have it, a word."""
        request = pb.ListServicesRequest(
            host_id=host_id,
            operation=OPERATION_VALUES[operation] if operation else None,
            routable=routable,
        )
        return self._all(self._stub.ListServices, request, "services")

    def roles(self, operation: str | None = None) -> list[pb.RoleStatus]:
        """Return the roles in order. operation: only those for it, a word."""
        value = OPERATION_VALUES[operation] if operation else None
        return self._all(self._stub.ListRoles, pb.ListRolesRequest(operation=value), "roles")

    def host(self, host_id: str) -> pb.GetHostInventoryResponse:
        """Return a host and its services.

        Raises:
            Failure: there is none of this name.
        """
        request = pb.GetHostInventoryRequest(host_id=host_id)
        found: pb.GetHostInventoryResponse = self._one(
            self._stub.GetHostInventory, request, "host", host_id, self._host_ids
        )
        return found

    def service(self, service_id: str) -> pb.ServiceStatus:
        """Return a service. Raises as `host`."""
        request = pb.GetServiceRequest(service_id=service_id)
        found: pb.ServiceStatus = self._one(
            self._stub.GetService, request, "service", service_id, self._service_ids
        ).service
        return found

    def owner(self, service: inventory.Service) -> inventory.Host:
        """Return the host of a service, without what else it serves."""
        request = pb.GetHostRequest(host_id=service.host_id)
        found: inventory.Host = self._stub.GetHost(
            request, timeout=self._timeout, metadata=self._metadata
        ).host
        return found

    def role(self, role_id: str) -> pb.RoleStatus:
        """Return a role. Raises as `host`."""
        request = pb.GetRoleRequest(role_id=role_id)
        found: pb.RoleStatus = self._one(
            self._stub.GetRole, request, "role", role_id, self._role_ids
        ).role
        return found

    def _all(self, method: Callable[..., Any], request: Any, field: str) -> list[Any]:
        return paged(method, request, field, self._timeout, self._metadata)

    def _one(
        self,
        method: Callable[..., Any],
        request: Any,
        noun: str,
        name: str,
        names: Callable[[], Sequence[str]],
    ) -> Any:
        try:
            with control_errors():
                return method(request, timeout=self._timeout, metadata=self._metadata)
        except NotFound as error:
            raise unknown(noun, name, names()) from error

    def _host_ids(self) -> list[str]:
        return [one.host_id for one in self.hosts()]

    def _service_ids(self) -> list[str]:
        return [one.service.service_id for one in self.services()]

    def _role_ids(self) -> list[str]:
        return [one.role.role_id for one in self.roles()]


def unknown(noun: str, name: str, names: Sequence[str], listed: str = "") -> Failure:
    """Return the failure for a name that nothing has.

    names: those that there are. listed: the command that lists them; that of the noun.
    """
    near = difflib.get_close_matches(name[:100], names, n=MAX_NEAR)
    similar = f"; similar: {', '.join(near)}" if near else ""
    fix = f"geniehive {listed or f'{noun}s'}"
    return Failure(f"no {noun} {name[:100]!r}{similar}", UNKNOWN, "not_found", fix=fix)
