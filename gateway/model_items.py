"""One entry of `GET /v1/models`: what the routes say of a name, and what control knows of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import msgspec
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory

from control.api import cluster_documents as documents
from control.api.message_values import milliseconds
from control.api.route_documents import Document, url
from gateway import offload
from gateway.known import Entry, Known
from gateway.resources import WORDS
from gateway.route import Choice
from gateway.routes import Routes

RouteType = Literal["role", "asset", "service"]

# Of an asset: what matters to who asks for it. The rest is at `/v1/cluster/services`.
_OF_ASSETS = (
    "asset_id",
    "context_size",
    "loaded",
    "max_context_tokens",
    "request_policy",
    "operations",
    "family",
    "digest",
    "capabilities",
    "roles",
)


class Facts:
    """What matters of a service, by asset: one may have thousands, each with an entry.

    only: the asset that is asked about; None for all of them.
    """

    __slots__ = ("_assets", "_loaded", "_places", "_roles", "latency_ms", "observed")

    def __init__(self, status: pb.ServiceStatus) -> None:
        self._assets = status.service.assets
        self._places = {one.asset_id: place for place, one in enumerate(self._assets)}
        self._loaded = frozenset(one.asset_id for one in self._assets if one.loaded)
        self._roles = documents.roles_by_asset(status.roles)
        self.latency_ms = milliseconds(status, "latency_p50")
        self.observed = documents.observed(status)

    def loaded_count(self, only: str | None) -> int:
        return len(self._loaded) if only is None else only in self._loaded

    def roles(self, only: str | None) -> Iterable[str]:
        return chain(*self._roles.values()) if only is None else self._roles.get(only, ())

    def assets(self, only: str | None) -> list[Document]:
        names = self._places if only is None else self._places.keys() & {only}
        return [self._asset(name) for name in names]

    def _asset(self, name: str) -> Document:
        found = documents.asset(self._assets[self._places[name]], self._roles.get(name, ()))
        return {field: found[field] for field in _OF_ASSETS}


@dataclass(frozen=True, slots=True)
class Named:
    """A name that can be asked for, as the gateway routes it.

    services: that serve it, sorted; those of a role may all be away. first: of these, the
    one that comes first, with policy: what is done to requests there.
    """

    name: str
    kind: RouteType
    operations: tuple[str, ...]
    services: tuple[str, ...]
    first: str | None
    policy: inventory.RequestPolicy | None


def named(routes: Routes, name: str) -> Named | None:
    """Return what the routes say of a name; None where nobody serves what is no role."""
    services = routes.serving(name)
    is_role = routes.is_role(name)
    if not (services or is_role):
        return None
    kind: RouteType = "service" if name in routes.upstreams else "asset"
    first = _first(routes, name)
    shaper = first.shaper if first is not None else None
    return Named(
        name,
        "role" if is_role else kind,
        tuple(word for one, word in WORDS.items() if any(routes.succession(one, name))),
        tuple(services),
        first.upstream.service_id if first is not None else None,
        shaper.told if shaper is not None else None,
    )


def _first(routes: Routes, name: str) -> Choice | None:
    known = (route for one in WORDS for route in routes.succession(one, name))
    return next((route.choices[0] for route in known if route.choices), None)


def sources(item: Named, known: Known) -> tuple[Entry[Any] | None, ...]:
    """Return all of `known` that the entry is made of."""
    if item.kind == "role":
        return (known.roles.get(item.name),)
    host_id = _host_of(item.first or item.name)
    return (known.hosts.get(host_id), *map(known.services.get, item.services))


def document(item: Named, known: Known) -> Document:
    """Return a model as OpenAI shapes it, with all that is known of it below `geniehive`."""
    told = _role(item, known) if item.kind == "role" else _served(item, known)
    return {
        "id": item.name,
        "object": "model",
        "created": 0,
        "owned_by": "geniehive-role" if item.kind == "role" else _host_of(item.services[0]),
        "geniehive": {"route_type": item.kind, **told},
    }


def _role(item: Named, known: Known) -> Document:
    told: Document = {"role_id": item.name, **_routed(item)}
    if (entry := known.roles.get(item.name)) is None:
        return told
    message: pb.RoleStatus = entry.message
    role = documents.role(message)
    latency = milliseconds(message, "best_latency_p50")
    return told | {
        "display_name": role["display_name"],
        "modality": role["modality"],
        "strategy": role["strategy"],
        "fallback_roles": role["fallback_roles"],
        **documents.targets(message),
        "offload_hint": offload.hint(item.operations[0], message.loaded_candidate_count, latency),
        "routing_policy": role["routing_policy"],
    }


def _served(item: Named, known: Known) -> Document:
    first = item.first or item.services[0]
    told: Document = {"service_id": first, "host_id": _host_of(first), **_routed(item)}
    if item.kind == "asset":
        told = {"asset_id": item.name} | told
    if first not in known.services:
        return told
    status = known.services[first].message
    facts = known.services[first].facts(Facts)
    only = item.name if item.kind == "asset" else None
    found = [known.services[one].facts(Facts) for one in item.services if one in known.services]
    loaded = sum(one.loaded_count(only) for one in found)
    warm = [one for one in found if one.loaded_count(only)]
    latencies = (one.latency_ms for one in warm or found)
    latency = min((one for one in latencies if one is not None), default=None)
    return told | {
        "protocol": documents.PROTOCOL,
        "endpoint": url(status.service.endpoint),
        "health": documents.HEALTHS.get(status.health, "unknown"),
        "availability": documents.availability(status.service.observation),
        **_host(known, _host_of(first)),
        "loaded_asset_count": loaded,
        "assets": facts.assets(only),
        "runtime": documents.runtime(status.service),
        "observed": facts.observed,
        "roles": sorted({role_id for one in found for role_id in one.roles(only)}),
        "offload_hint": offload.hint(item.operations[0], loaded, latency),
    }


def _routed(item: Named) -> Document:
    """Return what the gateway knows by itself."""
    policy = documents.request_policy(item.policy) if item.policy is not None else None
    return {
        "operation": item.operations[0],
        "operations": list(item.operations),
        "services": list(item.services),
        "effective_request_policy": policy,
    }


def _host(known: Known, host_id: str) -> Document:
    entry = known.hosts.get(host_id)
    message = entry.message if entry is not None else inventory.Host()
    return {
        "trust_tier": message.trust_tier or None,
        "device_class": message.device_class or None,
        "workload_classes": list(message.workload_classes),
    }


def _host_of(service_id: str) -> str:
    return service_id.partition("/")[0]


_encode = msgspec.json.Encoder().encode


def line(item: Named, known: Known) -> bytes:
    """Return the entry as JSON."""
    return _encode(document(item, known))
