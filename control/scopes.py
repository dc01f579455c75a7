"""Which right each method needs, and which rights each kind of caller has. Default deny."""

from enum import StrEnum
from functools import cache


class Scope(StrEnum):
    """A right to call some methods."""

    PUBLIC = "public"  # everybody has it
    JOIN = "join"  # keep a host registered
    LEAVE = "leave"  # remove a host, one's own or, with ADMINISTER, any
    READ = "read"  # see hosts, services and routes
    MEASURE = "measure"  # tell results of benchmarks, which routing believes
    SERVE = "serve"  # hold the tables that requests are served from, and tell what they used
    ADMINISTER = "administer"  # change what others rely on


_V1 = "/geniehive.v1."

# A method that is missing here is refused; a test walks all methods that are served.
SCOPES: dict[str, Scope] = {
    f"{_V1}RegistryService/RegisterHost": Scope.JOIN,
    f"{_V1}RegistryService/StreamHeartbeats": Scope.JOIN,
    f"{_V1}RegistryService/SendHeartbeat": Scope.JOIN,
    f"{_V1}RegistryService/DeregisterHost": Scope.LEAVE,
    f"{_V1}DiscoveryService/ListHosts": Scope.READ,
    f"{_V1}DiscoveryService/GetHost": Scope.READ,
    f"{_V1}DiscoveryService/ListServices": Scope.READ,
    f"{_V1}DiscoveryService/GetService": Scope.READ,
    f"{_V1}DiscoveryService/GetHostInventory": Scope.READ,
    f"{_V1}DiscoveryService/ListRoles": Scope.READ,
    f"{_V1}DiscoveryService/GetRole": Scope.READ,
    f"{_V1}DiscoveryService/ListHealthSamples": Scope.READ,
    f"{_V1}DiscoveryService/GetClusterHealth": Scope.READ,
    f"{_V1}BenchmarkService/IngestBenchmarkSamples": Scope.MEASURE,
    f"{_V1}BenchmarkService/ListBenchmarkSamples": Scope.READ,
    f"{_V1}RoutingService/ResolveRoute": Scope.READ,
    f"{_V1}RoutingService/MatchRoutes": Scope.READ,
    f"{_V1}RoutingService/WatchRoutes": Scope.SERVE,
    f"{_V1}RoutingService/WatchKeys": Scope.SERVE,
    f"{_V1}RoutingService/ExchangeLoad": Scope.SERVE,
    f"{_V1}UsageService/ReportUsage": Scope.SERVE,
    f"{_V1}AdminService/DrainServices": Scope.ADMINISTER,
    f"{_V1}AdminService/UndrainServices": Scope.ADMINISTER,
    "/grpc.health.v1.Health/Check": Scope.PUBLIC,
    "/grpc.health.v1.Health/List": Scope.PUBLIC,
    "/grpc.health.v1.Health/Watch": Scope.PUBLIC,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Scope.PUBLIC,
}

GRANTS: dict[str, frozenset[Scope]] = {
    "node": frozenset({Scope.JOIN, Scope.LEAVE}),
    "gateway": frozenset({Scope.READ, Scope.SERVE, Scope.MEASURE}),
    "operator": frozenset({Scope.READ, Scope.MEASURE}),
    "admin": frozenset({Scope.READ, Scope.MEASURE, Scope.LEAVE, Scope.ADMINISTER}),
}

# What a kind of caller is there for, and may do without a key when it needs none.
PURPOSES: dict[str, frozenset[Scope]] = {
    "node": frozenset({Scope.JOIN, Scope.LEAVE}),
    "gateway": frozenset({Scope.SERVE}),
    "operator": frozenset({Scope.READ, Scope.MEASURE}),
    "admin": frozenset({Scope.LEAVE, Scope.ADMINISTER}),
}


@cache  # asked for at every call, with the same kinds for ever
def open_scopes(open_kinds: frozenset[str]) -> frozenset[Scope]:
    """Return the rights of everybody where `open_kinds` need no key.

    What another kind needs a key for is lent by none of them, beside its purpose:
    whoever may call as a gateway does not read what operators need a key to read.
    """
    guarded = {
        scope for kind, scopes in GRANTS.items() if kind not in open_kinds for scope in scopes
    }
    rights = {Scope.PUBLIC}
    for kind in open_kinds:
        rights |= PURPOSES[kind] | (GRANTS[kind] - guarded)
    return frozenset(rights)
