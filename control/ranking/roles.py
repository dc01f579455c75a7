"""A role: what a request is for, whoever serves it. Made of the catalog; pure."""

from dataclasses import dataclass

from control.inventory import Operation, RequestPolicy


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """Who may serve a role, and who should. Tiers and classes are in lower case.

    An empty list of what is allowed allows everything; what is unknown fulfils no list.
    """

    preferred_families: tuple[str, ...] = ()  # the first is liked best
    preferred_labels: tuple[str, ...] = ()
    min_context: int = 0  # tokens
    require_loaded: bool = False
    allow_employee_devices: bool = False
    allow_providers: bool = False
    allowed_trust_tiers: tuple[str, ...] = ()
    denied_trust_tiers: tuple[str, ...] = ()
    allowed_device_classes: tuple[str, ...] = ()
    denied_device_classes: tuple[str, ...] = ()
    allowed_workload_classes: tuple[str, ...] = ()
    denied_workload_classes: tuple[str, ...] = ()
    fallback_roles: tuple[str, ...] = ()  # as written; see `Role.stand_ins`
    guardrail_profile: str = "none"  # none, forge_proxy, forge_middleware, native_light
    agentic_benchmark_workloads: tuple[str, ...] = ()
    strategy: str = ""  # of `Strategy`; empty: the configured default
    priority: str = ""  # of requests that name none; empty: that of their key


ANYBODY = RoutingPolicy()


@dataclass(frozen=True, slots=True)
class Role:
    """A role of the catalog.

    stand_ins: the fallback roles, their own and so on, in the order in which they are
    tried, each once; only roles of the same operation.
    """

    role_id: str
    operation: Operation
    display_name: str = ""
    description: str = ""
    modality: str = ""
    routing: RoutingPolicy = ANYBODY
    request_policy: RequestPolicy | None = None
    stand_ins: tuple[str, ...] = ()
