"""Hosts and services as short as a test wants them."""

from control.inventory import Asset, Endpoint, Health, Host, Observation, Operation, Service
from control.members import Beat, Lease, Offer

CHAT = (Operation.CHAT,)
HEALTHY = Observation(Health.HEALTHY)


def host(host_id="h1", **fields):
    return Host(host_id, **fields)


def asset(asset_id="m", operations=CHAT, **fields):
    return Asset(asset_id, operations, **fields)


def service(service_id="h1/s", *assets, **fields):
    host_id = service_id.partition("/")[0]
    endpoint = fields.pop("endpoint", Endpoint("http", "127.0.0.1:8080"))
    return Service(service_id, host_id, endpoint, assets=assets or (asset(),), **fields)


def offer(service_id="h1/s", *assets, seen=HEALTHY, **fields):
    return Offer(service(service_id, *assets, **fields), seen)


def beat(lease: Lease, sequence: int, *services, **fields):
    """A beat of (service id, observation, definition or None)."""
    return Beat(lease, sequence, services, **fields)
