"""What clients can ask for by name, from what control knows of services and roles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from geniehive.v1 import discovery_service_pb2 as pb

from control.api.route_documents import OPERATIONS


@dataclass(frozen=True, slots=True)
class Model:
    """A name that a client may send as `model`."""

    name: str
    kind: str  # role, or asset
    operations: Sequence[str]
    services: Sequence[str]  # that serve it now, those that have it in memory first
    loaded: bool
    context_tokens: int  # the most of them; 0 when unknown

    @property
    def document(self) -> Mapping[str, object]:
        """The model for programs."""
        return {
            "id": self.name,
            "route_type": self.kind,
            "operations": list(self.operations),
            "services": list(self.services),
            "loaded": self.loaded,
            "context_tokens": self.context_tokens or None,
        }


def models(services: Iterable[pb.ServiceStatus], roles: Iterable[pb.RoleStatus]) -> list[Model]:
    """Return roles and then assets, each in order; a role may have nobody who serves it now."""
    served = [one for one in services if one.routable]
    named = {one.role.role_id: _role(one, served) for one in roles}
    assets: dict[str, list[tuple[pb.ServiceStatus, int]]] = {}
    for status in served:
        for place, asset in enumerate(status.service.assets):
            # A role owns its name; its namesake is asked for by the long one.
            name = f"asset/{asset.asset_id}" if asset.asset_id in named else asset.asset_id
            assets.setdefault(name, []).append((status, place))
    return [
        *(named[name] for name in sorted(named)),
        *(_asset(name, assets[name]) for name in sorted(assets)),
    ]


def _role(one: pb.RoleStatus, services: Iterable[pb.ServiceStatus]) -> Model:
    role_id = one.role.role_id
    ids = [
        status.service.service_id
        for status in services
        if any(served.role_id == role_id for served in status.roles)
    ]
    return Model(
        role_id,
        "role",
        [OPERATIONS.get(one.role.operation, "?")],
        sorted(ids, key=lambda name: name != one.service_id),
        loaded=one.loaded_candidate_count > 0,
        context_tokens=0,
    )


def _asset(name: str, found: Sequence[tuple[pb.ServiceStatus, int]]) -> Model:
    offers = [(status.service.service_id, status.service.assets[place]) for status, place in found]
    operations = {operation for _, asset in offers for operation in asset.operations}
    return Model(
        name,
        "asset",
        [word for number, word in OPERATIONS.items() if number in operations],
        [service_id for service_id, asset in sorted(offers, key=lambda one: not one[1].loaded)],
        loaded=any(asset.loaded for _, asset in offers),
        context_tokens=max(asset.context_tokens for _, asset in offers),
    )
