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

class LoadMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOAD_MODE_UNSPECIFIED: _ClassVar[LoadMode]
    LOAD_MODE_NONE: _ClassVar[LoadMode]
    LOAD_MODE_ON_REQUEST: _ClassVar[LoadMode]

class EndpointKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENDPOINT_KIND_UNSPECIFIED: _ClassVar[EndpointKind]
    ENDPOINT_KIND_DIRECT: _ClassVar[EndpointKind]
    ENDPOINT_KIND_NODE_RELAY: _ClassVar[EndpointKind]

class SystemPromptPosition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SYSTEM_PROMPT_POSITION_UNSPECIFIED: _ClassVar[SystemPromptPosition]
    SYSTEM_PROMPT_POSITION_PREPEND: _ClassVar[SystemPromptPosition]
    SYSTEM_PROMPT_POSITION_APPEND: _ClassVar[SystemPromptPosition]
    SYSTEM_PROMPT_POSITION_REPLACE: _ClassVar[SystemPromptPosition]

class Reasoning(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASONING_UNSPECIFIED: _ClassVar[Reasoning]
    REASONING_STRIP: _ClassVar[Reasoning]
    REASONING_PASS: _ClassVar[Reasoning]

class Operation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATION_UNSPECIFIED: _ClassVar[Operation]
    OPERATION_CHAT: _ClassVar[Operation]
    OPERATION_EMBEDDINGS: _ClassVar[Operation]
    OPERATION_TRANSCRIPTION: _ClassVar[Operation]

class Availability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AVAILABILITY_UNSPECIFIED: _ClassVar[Availability]
    AVAILABILITY_AVAILABLE: _ClassVar[Availability]
    AVAILABILITY_BUSY: _ClassVar[Availability]
    AVAILABILITY_DRAINING: _ClassVar[Availability]
    AVAILABILITY_PAUSED_BY_USER: _ClassVar[Availability]
    AVAILABILITY_OFFLINE: _ClassVar[Availability]
    AVAILABILITY_QUARANTINED: _ClassVar[Availability]

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
LOAD_MODE_UNSPECIFIED: LoadMode
LOAD_MODE_NONE: LoadMode
LOAD_MODE_ON_REQUEST: LoadMode
ENDPOINT_KIND_UNSPECIFIED: EndpointKind
ENDPOINT_KIND_DIRECT: EndpointKind
ENDPOINT_KIND_NODE_RELAY: EndpointKind
SYSTEM_PROMPT_POSITION_UNSPECIFIED: SystemPromptPosition
SYSTEM_PROMPT_POSITION_PREPEND: SystemPromptPosition
SYSTEM_PROMPT_POSITION_APPEND: SystemPromptPosition
SYSTEM_PROMPT_POSITION_REPLACE: SystemPromptPosition
REASONING_UNSPECIFIED: Reasoning
REASONING_STRIP: Reasoning
REASONING_PASS: Reasoning
OPERATION_UNSPECIFIED: Operation
OPERATION_CHAT: Operation
OPERATION_EMBEDDINGS: Operation
OPERATION_TRANSCRIPTION: Operation
AVAILABILITY_UNSPECIFIED: Availability
AVAILABILITY_AVAILABLE: Availability
AVAILABILITY_BUSY: Availability
AVAILABILITY_DRAINING: Availability
AVAILABILITY_PAUSED_BY_USER: Availability
AVAILABILITY_OFFLINE: Availability
AVAILABILITY_QUARANTINED: Availability
HEALTH_UNSPECIFIED: Health
HEALTH_HEALTHY: Health
HEALTH_LOADING: Health
HEALTH_UNHEALTHY: Health

class Host(_message.Message):
    __slots__ = ("host_id", "display_name", "address", "labels", "capabilities", "resources", "metrics", "state", "heartbeat_time", "generation", "trust_tier", "device_class", "workload_classes", "allowed_model_families", "node_key_id", "contribution", "drained")
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
    TRUST_TIER_FIELD_NUMBER: _ClassVar[int]
    DEVICE_CLASS_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_CLASSES_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_MODEL_FAMILIES_FIELD_NUMBER: _ClassVar[int]
    NODE_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    DRAINED_FIELD_NUMBER: _ClassVar[int]
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
    trust_tier: str
    device_class: str
    workload_classes: _containers.RepeatedScalarFieldContainer[str]
    allowed_model_families: _containers.RepeatedScalarFieldContainer[str]
    node_key_id: str
    contribution: ContributionPolicy
    drained: bool
    def __init__(self, host_id: _Optional[str] = ..., display_name: _Optional[str] = ..., address: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., capabilities: _Optional[_Mapping[str, bool]] = ..., resources: _Optional[_Union[HostResources, _Mapping]] = ..., metrics: _Optional[_Union[HostMetrics, _Mapping]] = ..., state: _Optional[_Union[HostState, str]] = ..., heartbeat_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., generation: _Optional[int] = ..., trust_tier: _Optional[str] = ..., device_class: _Optional[str] = ..., workload_classes: _Optional[_Iterable[str]] = ..., allowed_model_families: _Optional[_Iterable[str]] = ..., node_key_id: _Optional[str] = ..., contribution: _Optional[_Union[ContributionPolicy, _Mapping]] = ..., drained: _Optional[bool] = ...) -> None: ...

class ContributionPolicy(_message.Message):
    __slots__ = ("idle_only", "ac_power_only", "thermal_ceiling_celsius", "max_memory_bytes")
    IDLE_ONLY_FIELD_NUMBER: _ClassVar[int]
    AC_POWER_ONLY_FIELD_NUMBER: _ClassVar[int]
    THERMAL_CEILING_CELSIUS_FIELD_NUMBER: _ClassVar[int]
    MAX_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    idle_only: bool
    ac_power_only: bool
    thermal_ceiling_celsius: float
    max_memory_bytes: int
    def __init__(self, idle_only: _Optional[bool] = ..., ac_power_only: _Optional[bool] = ..., thermal_ceiling_celsius: _Optional[float] = ..., max_memory_bytes: _Optional[int] = ...) -> None: ...

class HostResources(_message.Message):
    __slots__ = ("cpu_threads", "memory_bytes", "gpus")
    CPU_THREADS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    GPUS_FIELD_NUMBER: _ClassVar[int]
    cpu_threads: int
    memory_bytes: int
    gpus: _containers.RepeatedCompositeFieldContainer[Gpu]
    def __init__(self, cpu_threads: _Optional[int] = ..., memory_bytes: _Optional[int] = ..., gpus: _Optional[_Iterable[_Union[Gpu, _Mapping]]] = ...) -> None: ...

class Gpu(_message.Message):
    __slots__ = ("gpu_id", "name", "vendor", "memory_bytes")
    GPU_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VENDOR_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    gpu_id: str
    name: str
    vendor: str
    memory_bytes: int
    def __init__(self, gpu_id: _Optional[str] = ..., name: _Optional[str] = ..., vendor: _Optional[str] = ..., memory_bytes: _Optional[int] = ...) -> None: ...

class HostMetrics(_message.Message):
    __slots__ = ("cpu_utilization", "memory_available_bytes", "gpus", "on_ac_power", "temperature_celsius")
    CPU_UTILIZATION_FIELD_NUMBER: _ClassVar[int]
    MEMORY_AVAILABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    GPUS_FIELD_NUMBER: _ClassVar[int]
    ON_AC_POWER_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_CELSIUS_FIELD_NUMBER: _ClassVar[int]
    cpu_utilization: float
    memory_available_bytes: int
    gpus: _containers.RepeatedCompositeFieldContainer[GpuMetrics]
    on_ac_power: bool
    temperature_celsius: float
    def __init__(self, cpu_utilization: _Optional[float] = ..., memory_available_bytes: _Optional[int] = ..., gpus: _Optional[_Iterable[_Union[GpuMetrics, _Mapping]]] = ..., on_ac_power: _Optional[bool] = ..., temperature_celsius: _Optional[float] = ...) -> None: ...

class GpuMetrics(_message.Message):
    __slots__ = ("gpu_id", "utilization", "memory_used_bytes", "temperature_celsius")
    GPU_ID_FIELD_NUMBER: _ClassVar[int]
    UTILIZATION_FIELD_NUMBER: _ClassVar[int]
    MEMORY_USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_CELSIUS_FIELD_NUMBER: _ClassVar[int]
    gpu_id: str
    utilization: float
    memory_used_bytes: int
    temperature_celsius: float
    def __init__(self, gpu_id: _Optional[str] = ..., utilization: _Optional[float] = ..., memory_used_bytes: _Optional[int] = ..., temperature_celsius: _Optional[float] = ...) -> None: ...

class Service(_message.Message):
    __slots__ = ("service_id", "host_id", "engine", "endpoint", "assets", "concurrency", "revision", "observation", "load_mode", "direct_requests", "api_key", "has_api_key", "engine_version")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    ASSETS_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    OBSERVATION_FIELD_NUMBER: _ClassVar[int]
    LOAD_MODE_FIELD_NUMBER: _ClassVar[int]
    DIRECT_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    HAS_API_KEY_FIELD_NUMBER: _ClassVar[int]
    ENGINE_VERSION_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    host_id: str
    engine: str
    endpoint: Endpoint
    assets: _containers.RepeatedCompositeFieldContainer[Asset]
    concurrency: int
    revision: int
    observation: ServiceObservation
    load_mode: LoadMode
    direct_requests: bool
    api_key: str
    has_api_key: bool
    engine_version: str
    def __init__(self, service_id: _Optional[str] = ..., host_id: _Optional[str] = ..., engine: _Optional[str] = ..., endpoint: _Optional[_Union[Endpoint, _Mapping]] = ..., assets: _Optional[_Iterable[_Union[Asset, _Mapping]]] = ..., concurrency: _Optional[int] = ..., revision: _Optional[int] = ..., observation: _Optional[_Union[ServiceObservation, _Mapping]] = ..., load_mode: _Optional[_Union[LoadMode, str]] = ..., direct_requests: _Optional[bool] = ..., api_key: _Optional[str] = ..., has_api_key: _Optional[bool] = ..., engine_version: _Optional[str] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ("scheme", "address", "base_path", "tls_name", "kind", "relay")
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BASE_PATH_FIELD_NUMBER: _ClassVar[int]
    TLS_NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RELAY_FIELD_NUMBER: _ClassVar[int]
    scheme: str
    address: str
    base_path: str
    tls_name: str
    kind: EndpointKind
    relay: NodeRelay
    def __init__(self, scheme: _Optional[str] = ..., address: _Optional[str] = ..., base_path: _Optional[str] = ..., tls_name: _Optional[str] = ..., kind: _Optional[_Union[EndpointKind, str]] = ..., relay: _Optional[_Union[NodeRelay, _Mapping]] = ...) -> None: ...

class NodeRelay(_message.Message):
    __slots__ = ("address", "token", "tls", "tls_name")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TLS_FIELD_NUMBER: _ClassVar[int]
    TLS_NAME_FIELD_NUMBER: _ClassVar[int]
    address: str
    token: str
    tls: bool
    tls_name: str
    def __init__(self, address: _Optional[str] = ..., token: _Optional[str] = ..., tls: _Optional[bool] = ..., tls_name: _Optional[str] = ...) -> None: ...

class Asset(_message.Message):
    __slots__ = ("asset_id", "operations", "loaded", "context_tokens", "family", "labels", "request_policy", "modality", "format", "locator", "metadata", "digest", "capabilities", "size_bytes")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_POLICY_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    LOCATOR_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    asset_id: str
    operations: _containers.RepeatedScalarFieldContainer[Operation]
    loaded: bool
    context_tokens: int
    family: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    request_policy: RequestPolicy
    modality: str
    format: str
    locator: AssetLocator
    metadata: _containers.ScalarMap[str, str]
    digest: str
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    size_bytes: int
    def __init__(self, asset_id: _Optional[str] = ..., operations: _Optional[_Iterable[_Union[Operation, str]]] = ..., loaded: _Optional[bool] = ..., context_tokens: _Optional[int] = ..., family: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., request_policy: _Optional[_Union[RequestPolicy, _Mapping]] = ..., modality: _Optional[str] = ..., format: _Optional[str] = ..., locator: _Optional[_Union[AssetLocator, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., digest: _Optional[str] = ..., capabilities: _Optional[_Iterable[str]] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class AssetLocator(_message.Message):
    __slots__ = ("kind", "value")
    KIND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    value: str
    def __init__(self, kind: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class RequestPolicy(_message.Message):
    __slots__ = ("body_defaults", "body_overrides", "system_prompt", "system_prompt_position", "user_template", "reasoning", "without_tools")
    BODY_DEFAULTS_FIELD_NUMBER: _ClassVar[int]
    BODY_OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_PROMPT_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_PROMPT_POSITION_FIELD_NUMBER: _ClassVar[int]
    USER_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_TOOLS_FIELD_NUMBER: _ClassVar[int]
    body_defaults: str
    body_overrides: str
    system_prompt: str
    system_prompt_position: SystemPromptPosition
    user_template: str
    reasoning: Reasoning
    without_tools: bool
    def __init__(self, body_defaults: _Optional[str] = ..., body_overrides: _Optional[str] = ..., system_prompt: _Optional[str] = ..., system_prompt_position: _Optional[_Union[SystemPromptPosition, str]] = ..., user_template: _Optional[str] = ..., reasoning: _Optional[_Union[Reasoning, str]] = ..., without_tools: _Optional[bool] = ...) -> None: ...

class ServiceObservation(_message.Message):
    __slots__ = ("health", "in_flight", "queue_depth", "tokens_per_second", "latency_p50", "detail", "availability", "latency_p95", "kv_cache_utilization", "vram_used_bytes", "prompt_tokens_per_second", "first_token_p50", "first_token_p95")
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P50_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    AVAILABILITY_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P95_FIELD_NUMBER: _ClassVar[int]
    KV_CACHE_UTILIZATION_FIELD_NUMBER: _ClassVar[int]
    VRAM_USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_P50_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_P95_FIELD_NUMBER: _ClassVar[int]
    health: Health
    in_flight: int
    queue_depth: int
    tokens_per_second: float
    latency_p50: _duration_pb2.Duration
    detail: str
    availability: Availability
    latency_p95: _duration_pb2.Duration
    kv_cache_utilization: float
    vram_used_bytes: int
    prompt_tokens_per_second: float
    first_token_p50: _duration_pb2.Duration
    first_token_p95: _duration_pb2.Duration
    def __init__(self, health: _Optional[_Union[Health, str]] = ..., in_flight: _Optional[int] = ..., queue_depth: _Optional[int] = ..., tokens_per_second: _Optional[float] = ..., latency_p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., detail: _Optional[str] = ..., availability: _Optional[_Union[Availability, str]] = ..., latency_p95: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., kv_cache_utilization: _Optional[float] = ..., vram_used_bytes: _Optional[int] = ..., prompt_tokens_per_second: _Optional[float] = ..., first_token_p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., first_token_p95: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class MachineInventory(_message.Message):
    __slots__ = ("model_files", "model_file_count", "problems")
    MODEL_FILES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FILE_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    model_files: _containers.RepeatedCompositeFieldContainer[ModelFile]
    model_file_count: int
    problems: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model_files: _Optional[_Iterable[_Union[ModelFile, _Mapping]]] = ..., model_file_count: _Optional[int] = ..., problems: _Optional[_Iterable[str]] = ...) -> None: ...

class ModelFile(_message.Message):
    __slots__ = ("path", "size_bytes", "name", "architecture", "quantization", "context_tokens", "parameter_count")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    QUANTIZATION_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PARAMETER_COUNT_FIELD_NUMBER: _ClassVar[int]
    path: str
    size_bytes: int
    name: str
    architecture: str
    quantization: str
    context_tokens: int
    parameter_count: int
    def __init__(self, path: _Optional[str] = ..., size_bytes: _Optional[int] = ..., name: _Optional[str] = ..., architecture: _Optional[str] = ..., quantization: _Optional[str] = ..., context_tokens: _Optional[int] = ..., parameter_count: _Optional[int] = ...) -> None: ...

class LearnedRates(_message.Message):
    __slots__ = ("service_id", "asset_id", "prefill_tokens_per_second", "decode", "load", "answer_tokens", "slots", "sample_count", "bytes_per_token")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    PREFILL_TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    DECODE_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    ANSWER_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    BYTES_PER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    asset_id: str
    prefill_tokens_per_second: float
    decode: _containers.RepeatedCompositeFieldContainer[DecodeRate]
    load: _duration_pb2.Duration
    answer_tokens: float
    slots: int
    sample_count: int
    bytes_per_token: float
    def __init__(self, service_id: _Optional[str] = ..., asset_id: _Optional[str] = ..., prefill_tokens_per_second: _Optional[float] = ..., decode: _Optional[_Iterable[_Union[DecodeRate, _Mapping]]] = ..., load: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., answer_tokens: _Optional[float] = ..., slots: _Optional[int] = ..., sample_count: _Optional[int] = ..., bytes_per_token: _Optional[float] = ...) -> None: ...

class DecodeRate(_message.Message):
    __slots__ = ("concurrency", "tokens_per_second")
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    concurrency: int
    tokens_per_second: float
    def __init__(self, concurrency: _Optional[int] = ..., tokens_per_second: _Optional[float] = ...) -> None: ...
