import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HostState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HOST_STATE_UNSPECIFIED: _ClassVar[HostState]
    HOST_STATE_ONLINE: _ClassVar[HostState]
    HOST_STATE_RETURNING: _ClassVar[HostState]
    HOST_STATE_LOST: _ClassVar[HostState]

class EndpointKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENDPOINT_KIND_UNSPECIFIED: _ClassVar[EndpointKind]
    ENDPOINT_KIND_DIRECT: _ClassVar[EndpointKind]

class Operation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATION_UNSPECIFIED: _ClassVar[Operation]
    OPERATION_CHAT: _ClassVar[Operation]
    OPERATION_EMBEDDINGS: _ClassVar[Operation]
    OPERATION_TRANSCRIPTION: _ClassVar[Operation]

class Health(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HEALTH_UNSPECIFIED: _ClassVar[Health]
    HEALTH_HEALTHY: _ClassVar[Health]
    HEALTH_LOADING: _ClassVar[Health]
    HEALTH_UNHEALTHY: _ClassVar[Health]
HOST_STATE_UNSPECIFIED: HostState
HOST_STATE_ONLINE: HostState
HOST_STATE_RETURNING: HostState
HOST_STATE_LOST: HostState
ENDPOINT_KIND_UNSPECIFIED: EndpointKind
ENDPOINT_KIND_DIRECT: EndpointKind
OPERATION_UNSPECIFIED: Operation
OPERATION_CHAT: Operation
OPERATION_EMBEDDINGS: Operation
OPERATION_TRANSCRIPTION: Operation
HEALTH_UNSPECIFIED: Health
HEALTH_HEALTHY: Health
HEALTH_LOADING: Health
HEALTH_UNHEALTHY: Health

class Host(_message.Message):
    __slots__ = ("host_id", "display_name", "address", "labels", "capabilities", "resources", "metrics", "state", "heartbeat_time", "generation")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class CapabilitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bool
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bool] = ...) -> None: ...
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_TIME_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    host_id: str
    display_name: str
    address: str
    labels: _containers.ScalarMap[str, str]
    capabilities: _containers.ScalarMap[str, bool]
    resources: HostResources
    metrics: HostMetrics
    state: HostState
    heartbeat_time: _timestamp_pb2.Timestamp
    generation: int
    def __init__(self, host_id: _Optional[str] = ..., display_name: _Optional[str] = ..., address: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., capabilities: _Optional[_Mapping[str, bool]] = ..., resources: _Optional[_Union[HostResources, _Mapping]] = ..., metrics: _Optional[_Union[HostMetrics, _Mapping]] = ..., state: _Optional[_Union[HostState, str]] = ..., heartbeat_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., generation: _Optional[int] = ...) -> None: ...

class HostResources(_message.Message):
    __slots__ = ("cpu_threads", "memory_bytes")
    CPU_THREADS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    cpu_threads: int
    memory_bytes: int
    def __init__(self, cpu_threads: _Optional[int] = ..., memory_bytes: _Optional[int] = ...) -> None: ...

class HostMetrics(_message.Message):
    __slots__ = ("cpu_utilization", "memory_available_bytes")
    CPU_UTILIZATION_FIELD_NUMBER: _ClassVar[int]
    MEMORY_AVAILABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    cpu_utilization: float
    memory_available_bytes: int
    def __init__(self, cpu_utilization: _Optional[float] = ..., memory_available_bytes: _Optional[int] = ...) -> None: ...

class Service(_message.Message):
    __slots__ = ("service_id", "host_id", "engine", "endpoint", "assets", "concurrency", "revision", "observation")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    ASSETS_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    OBSERVATION_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    host_id: str
    engine: str
    endpoint: Endpoint
    assets: _containers.RepeatedCompositeFieldContainer[Asset]
    concurrency: int
    revision: int
    observation: ServiceObservation
    def __init__(self, service_id: _Optional[str] = ..., host_id: _Optional[str] = ..., engine: _Optional[str] = ..., endpoint: _Optional[_Union[Endpoint, _Mapping]] = ..., assets: _Optional[_Iterable[_Union[Asset, _Mapping]]] = ..., concurrency: _Optional[int] = ..., revision: _Optional[int] = ..., observation: _Optional[_Union[ServiceObservation, _Mapping]] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("scheme", "address", "base_path", "tls_name", "kind")
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BASE_PATH_FIELD_NUMBER: _ClassVar[int]
    TLS_NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    scheme: str
    address: str
    base_path: str
    tls_name: str
    kind: EndpointKind
    def __init__(self, scheme: _Optional[str] = ..., address: _Optional[str] = ..., base_path: _Optional[str] = ..., tls_name: _Optional[str] = ..., kind: _Optional[_Union[EndpointKind, str]] = ...) -> None: ...

class Asset(_message.Message):
    __slots__ = ("asset_id", "operations", "loaded", "context_tokens")
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    asset_id: str
    operations: _containers.RepeatedScalarFieldContainer[Operation]
    loaded: bool
    context_tokens: int
    def __init__(self, asset_id: _Optional[str] = ..., operations: _Optional[_Iterable[_Union[Operation, str]]] = ..., loaded: _Optional[bool] = ..., context_tokens: _Optional[int] = ...) -> None: ...

class ServiceObservation(_message.Message):
    __slots__ = ("health", "in_flight", "queue_depth", "tokens_per_second", "latency_p50", "detail")
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P50_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    health: Health
    in_flight: int
    queue_depth: int
    tokens_per_second: float
    latency_p50: _duration_pb2.Duration
    detail: str
    def __init__(self, health: _Optional[_Union[Health, str]] = ..., in_flight: _Optional[int] = ..., queue_depth: _Optional[int] = ..., tokens_per_second: _Optional[float] = ..., latency_p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., detail: _Optional[str] = ...) -> None: ...
