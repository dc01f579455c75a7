"""Resources as control pushes them, and upstreams that call nobody."""

from hashlib import blake2b

from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from gateway.breaker import Breaker
from gateway.config import Ejection, Limits
from gateway.load import Load
from gateway.resources import WORDS, service_name
from gateway.steps import finished

CHAT, EMBEDDINGS = inventory.OPERATION_CHAT, inventory.OPERATION_EMBEDDINGS


class StubUpstream(Load):
    def __init__(self, service_id, origin):
        super().__init__(service_id, Limits(requests_per_service=1_000_000))
        self.breaker = Breaker(Ejection(), lambda: 0.5, lambda: None)
        self.waits, self.origin = {}, origin
        self.moves, self.retired = [], False

    def move(self, origin):
        self.origin = origin
        self.moves.append(origin)

    def retire(self):
        self.retired = True


def service(service_id, address="127.0.0.1:80", host_id="h", api_key="", **endpoint):
    fields = {"scheme": "http", "address": address, "kind": inventory.ENDPOINT_KIND_DIRECT}
    return hashed(
        name=f"service/{service_id}",
        service=pb.RouteService(
            service_id=service_id,
            host_id=host_id,
            api_key=api_key,
            endpoint=inventory.Endpoint(**{**fields, **endpoint}),
        ),
    )


def target(name, *candidates, operation=CHAT, **fields):
    """candidates: of (service, score), or (service, score, more fields)."""
    return hashed(
        name=f"target/{WORDS.get(operation)}/{name}",
        target=pb.Target(
            name=name,
            operation=operation,
            candidates=[candidate(*one) for one in candidates],
            **fields,
        ),
    )


def policy(policy_id, **fields):
    return hashed(
        name=f"policy/{policy_id:016x}",
        policy=pb.RoutePolicy(policy_id=policy_id, policy=inventory.RequestPolicy(**fields)),
    )


def candidate(service_id, score, fields=None):
    return pb.Candidate(
        **{"service_id": service_id, "asset_id": "a", "score": score, **(fields or {})}
    )


def follow_all(routes, table):
    """Follow all of `table`, and what `routes` had of another one."""
    services = map(service_name, routes.upstreams)
    names = {*table.current, *table.carried, *services, *routes._mentions}
    finished(routes.follow(table, dict.fromkeys(names)))


def hashed(**fields):
    resource = pb.Resource(**fields)
    resource.hash = int.from_bytes(blake2b(resource.SerializeToString(), digest_size=8).digest())
    return resource
