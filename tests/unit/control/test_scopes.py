import pytest
from geniehive.v1 import (
    admin_service_pb2,
    benchmark_service_pb2,
    discovery_service_pb2,
    inventory_pb2,
    registry_service_pb2,
    routing_service_pb2,
    usage_service_pb2,
)
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from control.scopes import GRANTS, SCOPES, Scope

FILES = [
    admin_service_pb2,
    benchmark_service_pb2,
    discovery_service_pb2,
    inventory_pb2,
    registry_service_pb2,
    routing_service_pb2,
    usage_service_pb2,
    health_pb2,
    reflection_pb2,
]
METHODS = {
    f"/{service.full_name}/{method.name}"
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def test_exactly_the_methods_that_are_served_have_a_scope():
    assert set(SCOPES) == METHODS


def test_every_scope_but_public_is_granted_to_somebody():
    assert frozenset().union(*GRANTS.values()) == set(Scope) - {Scope.PUBLIC}


@pytest.mark.parametrize("kind", ["node", "operator", "admin"])
def test_only_gateways_hold_the_tables(kind):
    assert Scope.SERVE not in GRANTS[kind]


@pytest.mark.parametrize("kind", ["gateway", "operator", "admin"])
def test_only_nodes_join(kind):
    assert Scope.JOIN not in GRANTS[kind]
