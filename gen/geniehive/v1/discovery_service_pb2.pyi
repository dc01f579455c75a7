import datetime

from geniehive.v1 import inventory_pb2 as _inventory_pb2
from geniehive.v1 import roles_pb2 as _roles_pb2
from geniehive.v1 import routing_service_pb2 as _routing_service_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListHostsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "state")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    state: _inventory_pb2.HostState
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., state: _Optional[_Union[_inventory_pb2.HostState, str]] = ...) -> None: ...

class ListHostsResponse(_message.Message):
    __slots__ = ("hosts", "next_page_token")
    HOSTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    hosts: _containers.RepeatedCompositeFieldContainer[_inventory_pb2.Host]
    next_page_token: str
    def __init__(self, hosts: _Optional[_Iterable[_Union[_inventory_pb2.Host, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetHostRequest(_message.Message):
    __slots__ = ("host_id",)
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    host_id: str
    def __init__(self, host_id: _Optional[str] = ...) -> None: ...

class GetHostResponse(_message.Message):
    __slots__ = ("host",)
    HOST_FIELD_NUMBER: _ClassVar[int]
    host: _inventory_pb2.Host
    def __init__(self, host: _Optional[_Union[_inventory_pb2.Host, _Mapping]] = ...) -> None: ...

class ListServicesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "host_id", "operation", "routable")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    ROUTABLE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    host_id: str
    operation: _inventory_pb2.Operation
    routable: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., host_id: _Optional[str] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ..., routable: _Optional[bool] = ...) -> None: ...

class ListServicesResponse(_message.Message):
    __slots__ = ("services", "next_page_token")
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    services: _containers.RepeatedCompositeFieldContainer[ServiceStatus]
    next_page_token: str
    def __init__(self, services: _Optional[_Iterable[_Union[ServiceStatus, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ServiceStatus(_message.Message):
    __slots__ = ("service", "routable", "in_flight", "measured", "roles", "health", "probe", "latency_p50", "tokens_per_second", "update_time", "held_back", "ejection", "drained", "waiting", "learned")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    ROUTABLE_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    PROBE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P50_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    HELD_BACK_FIELD_NUMBER: _ClassVar[int]
    EJECTION_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    LEARNED_FIELD_NUMBER: _ClassVar[int]
    service: _inventory_pb2.Service
    routable: bool
    in_flight: int
    measured: Measured
    roles: _containers.RepeatedCompositeFieldContainer[ServedRole]
    health: _inventory_pb2.Health
    probe: Probe
    latency_p50: _duration_pb2.Duration
    tokens_per_second: float
    update_time: _timestamp_pb2.Timestamp
    held_back: _duration_pb2.Duration
    ejection: _routing_service_pb2.Ejection
    drained: bool
    waiting: int
    learned: _containers.RepeatedCompositeFieldContainer[_inventory_pb2.LearnedRates]
    def __init__(self, service: _Optional[_Union[_inventory_pb2.Service, _Mapping]] = ..., routable: _Optional[bool] = ..., in_flight: _Optional[int] = ..., measured: _Optional[_Union[Measured, _Mapping]] = ..., roles: _Optional[_Iterable[_Union[ServedRole, _Mapping]]] = ..., health: _Optional[_Union[_inventory_pb2.Health, str]] = ..., probe: _Optional[_Union[Probe, _Mapping]] = ..., latency_p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., tokens_per_second: _Optional[float] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., held_back: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., ejection: _Optional[_Union[_routing_service_pb2.Ejection, _Mapping]] = ..., drained: _Optional[bool] = ..., waiting: _Optional[int] = ..., learned: _Optional[_Iterable[_Union[_inventory_pb2.LearnedRates, _Mapping]]] = ...) -> None: ...

class ServedRole(_message.Message):
    __slots__ = ("role_id", "asset_id")
    ROLE_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    role_id: str
    asset_id: str
    def __init__(self, role_id: _Optional[str] = ..., asset_id: _Optional[str] = ...) -> None: ...

class Probe(_message.Message):
    __slots__ = ("health", "probe_time", "detail")
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    PROBE_TIME_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    health: _inventory_pb2.Health
    probe_time: _timestamp_pb2.Timestamp
    detail: str
    def __init__(self, health: _Optional[_Union[_inventory_pb2.Health, str]] = ..., probe_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., detail: _Optional[str] = ...) -> None: ...

class Measured(_message.Message):
    __slots__ = ("start_time", "request_count", "abandoned_count", "error_counts", "prompt_tokens", "completion_tokens", "first_byte_p50", "first_byte_p95", "tokens_per_second")
    class ErrorCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_COUNT_FIELD_NUMBER: _ClassVar[int]
    ABANDONED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_COUNTS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_P50_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_P95_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    start_time: _timestamp_pb2.Timestamp
    request_count: int
    abandoned_count: int
    error_counts: _containers.ScalarMap[str, int]
    prompt_tokens: int
    completion_tokens: int
    first_byte_p50: _duration_pb2.Duration
    first_byte_p95: _duration_pb2.Duration
    tokens_per_second: float
    def __init__(self, start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_count: _Optional[int] = ..., abandoned_count: _Optional[int] = ..., error_counts: _Optional[_Mapping[str, int]] = ..., prompt_tokens: _Optional[int] = ..., completion_tokens: _Optional[int] = ..., first_byte_p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., first_byte_p95: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., tokens_per_second: _Optional[float] = ...) -> None: ...

class GetServiceRequest(_message.Message):
    __slots__ = ("service_id",)
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    def __init__(self, service_id: _Optional[str] = ...) -> None: ...

class GetServiceResponse(_message.Message):
    __slots__ = ("service",)
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    service: ServiceStatus
    def __init__(self, service: _Optional[_Union[ServiceStatus, _Mapping]] = ...) -> None: ...

class GetHostInventoryRequest(_message.Message):
    __slots__ = ("host_id",)
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    host_id: str
    def __init__(self, host_id: _Optional[str] = ...) -> None: ...

class GetHostInventoryResponse(_message.Message):
    __slots__ = ("host", "services", "report_time", "report_age", "machine")
    HOST_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    REPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    REPORT_AGE_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    host: _inventory_pb2.Host
    services: _containers.RepeatedCompositeFieldContainer[ServiceStatus]
    report_time: _timestamp_pb2.Timestamp
    report_age: _duration_pb2.Duration
    machine: _inventory_pb2.MachineInventory
    def __init__(self, host: _Optional[_Union[_inventory_pb2.Host, _Mapping]] = ..., services: _Optional[_Iterable[_Union[ServiceStatus, _Mapping]]] = ..., report_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., report_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., machine: _Optional[_Union[_inventory_pb2.MachineInventory, _Mapping]] = ...) -> None: ...

class ListRolesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "operation")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    operation: _inventory_pb2.Operation
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ...) -> None: ...

class ListRolesResponse(_message.Message):
    __slots__ = ("roles", "next_page_token")
    ROLES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    roles: _containers.RepeatedCompositeFieldContainer[RoleStatus]
    next_page_token: str
    def __init__(self, roles: _Optional[_Iterable[_Union[RoleStatus, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetRoleRequest(_message.Message):
    __slots__ = ("role_id",)
    ROLE_ID_FIELD_NUMBER: _ClassVar[int]
    role_id: str
    def __init__(self, role_id: _Optional[str] = ...) -> None: ...

class GetRoleResponse(_message.Message):
    __slots__ = ("role",)
    ROLE_FIELD_NUMBER: _ClassVar[int]
    role: RoleStatus
    def __init__(self, role: _Optional[_Union[RoleStatus, _Mapping]] = ...) -> None: ...

class RoleStatus(_message.Message):
    __slots__ = ("role", "strategy", "fallback_roles", "candidate_count", "loaded_candidate_count", "best_latency_p50", "service_id", "asset_id", "effective_request_policy", "update_time")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_ROLES_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LOADED_CANDIDATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    BEST_LATENCY_P50_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_REQUEST_POLICY_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    role: _roles_pb2.Role
    strategy: _routing_service_pb2.Strategy
    fallback_roles: _containers.RepeatedScalarFieldContainer[str]
    candidate_count: int
    loaded_candidate_count: int
    best_latency_p50: _duration_pb2.Duration
    service_id: str
    asset_id: str
    effective_request_policy: _inventory_pb2.RequestPolicy
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, role: _Optional[_Union[_roles_pb2.Role, _Mapping]] = ..., strategy: _Optional[_Union[_routing_service_pb2.Strategy, str]] = ..., fallback_roles: _Optional[_Iterable[str]] = ..., candidate_count: _Optional[int] = ..., loaded_candidate_count: _Optional[int] = ..., best_latency_p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., service_id: _Optional[str] = ..., asset_id: _Optional[str] = ..., effective_request_policy: _Optional[_Union[_inventory_pb2.RequestPolicy, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListHealthSamplesRequest(_message.Message):
    __slots__ = ("service_id", "page_size", "page_token")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    page_size: int
    page_token: str
    def __init__(self, service_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListHealthSamplesResponse(_message.Message):
    __slots__ = ("samples", "next_page_token")
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    samples: _containers.RepeatedCompositeFieldContainer[HealthSample]
    next_page_token: str
    def __init__(self, samples: _Optional[_Iterable[_Union[HealthSample, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class HealthSample(_message.Message):
    __slots__ = ("sample_id", "service_id", "observed_time", "health", "checks", "detail", "latency", "in_flight", "queue_depth")
    class ChecksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bool
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bool] = ...) -> None: ...
    SAMPLE_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_TIME_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    sample_id: str
    service_id: str
    observed_time: _timestamp_pb2.Timestamp
    health: _inventory_pb2.Health
    checks: _containers.ScalarMap[str, bool]
    detail: str
    latency: _duration_pb2.Duration
    in_flight: int
    queue_depth: int
    def __init__(self, sample_id: _Optional[str] = ..., service_id: _Optional[str] = ..., observed_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., health: _Optional[_Union[_inventory_pb2.Health, str]] = ..., checks: _Optional[_Mapping[str, bool]] = ..., detail: _Optional[str] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., in_flight: _Optional[int] = ..., queue_depth: _Optional[int] = ...) -> None: ...

class GetClusterHealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetClusterHealthResponse(_message.Message):
    __slots__ = ("host_count", "online_host_count", "lost_host_count", "service_count", "routable_service_count", "asset_count", "loaded_asset_count", "in_flight", "gateway_count", "route_version", "route_age", "settled", "uptime", "control_version", "unusable_resources", "spared_host_count", "held_back_count", "healthy_service_count", "role_count", "catalog_problem", "benchmark_sample_count", "ejected_count", "drains", "waiting")
    class UnusableResourcesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    HOST_COUNT_FIELD_NUMBER: _ClassVar[int]
    ONLINE_HOST_COUNT_FIELD_NUMBER: _ClassVar[int]
    LOST_HOST_COUNT_FIELD_NUMBER: _ClassVar[int]
    SERVICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ROUTABLE_SERVICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ASSET_COUNT_FIELD_NUMBER: _ClassVar[int]
    LOADED_ASSET_COUNT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_COUNT_FIELD_NUMBER: _ClassVar[int]
    ROUTE_VERSION_FIELD_NUMBER: _ClassVar[int]
    ROUTE_AGE_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    CONTROL_VERSION_FIELD_NUMBER: _ClassVar[int]
    UNUSABLE_RESOURCES_FIELD_NUMBER: _ClassVar[int]
    SPARED_HOST_COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_BACK_COUNT_FIELD_NUMBER: _ClassVar[int]
    HEALTHY_SERVICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ROLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    CATALOG_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    BENCHMARK_SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    EJECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DRAINS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    host_count: int
    online_host_count: int
    lost_host_count: int
    service_count: int
    routable_service_count: int
    asset_count: int
    loaded_asset_count: int
    in_flight: int
    gateway_count: int
    route_version: int
    route_age: _duration_pb2.Duration
    settled: bool
    uptime: _duration_pb2.Duration
    control_version: str
    unusable_resources: _containers.ScalarMap[str, str]
    spared_host_count: int
    held_back_count: int
    healthy_service_count: int
    role_count: int
    catalog_problem: str
    benchmark_sample_count: int
    ejected_count: int
    drains: _containers.RepeatedCompositeFieldContainer[Drain]
    waiting: int
    def __init__(self, host_count: _Optional[int] = ..., online_host_count: _Optional[int] = ..., lost_host_count: _Optional[int] = ..., service_count: _Optional[int] = ..., routable_service_count: _Optional[int] = ..., asset_count: _Optional[int] = ..., loaded_asset_count: _Optional[int] = ..., in_flight: _Optional[int] = ..., gateway_count: _Optional[int] = ..., route_version: _Optional[int] = ..., route_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., settled: _Optional[bool] = ..., uptime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., control_version: _Optional[str] = ..., unusable_resources: _Optional[_Mapping[str, str]] = ..., spared_host_count: _Optional[int] = ..., held_back_count: _Optional[int] = ..., healthy_service_count: _Optional[int] = ..., role_count: _Optional[int] = ..., catalog_problem: _Optional[str] = ..., benchmark_sample_count: _Optional[int] = ..., ejected_count: _Optional[int] = ..., drains: _Optional[_Iterable[_Union[Drain, _Mapping]]] = ..., waiting: _Optional[int] = ...) -> None: ...

class Drain(_message.Message):
    __slots__ = ("name", "start_time", "principal_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    PRINCIPAL_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    start_time: _timestamp_pb2.Timestamp
    principal_id: str
    def __init__(self, name: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., principal_id: _Optional[str] = ...) -> None: ...
