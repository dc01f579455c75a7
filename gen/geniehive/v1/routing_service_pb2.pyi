import datetime

from geniehive.v1 import inventory_pb2 as _inventory_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Strategy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRATEGY_UNSPECIFIED: _ClassVar[Strategy]
    STRATEGY_SCORED: _ClassVar[Strategy]
    STRATEGY_ROUND_ROBIN: _ClassVar[Strategy]
    STRATEGY_LEAST_LOADED: _ClassVar[Strategy]
    STRATEGY_POWER_OF_TWO: _ClassVar[Strategy]
    STRATEGY_EXPECTED_COMPLETION: _ClassVar[Strategy]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_LOW: _ClassVar[Priority]
    PRIORITY_NORMAL: _ClassVar[Priority]
    PRIORITY_HIGH: _ClassVar[Priority]
STRATEGY_UNSPECIFIED: Strategy
STRATEGY_SCORED: Strategy
STRATEGY_ROUND_ROBIN: Strategy
STRATEGY_LEAST_LOADED: Strategy
STRATEGY_POWER_OF_TWO: Strategy
STRATEGY_EXPECTED_COMPLETION: Strategy
PRIORITY_UNSPECIFIED: Priority
PRIORITY_LOW: Priority
PRIORITY_NORMAL: Priority
PRIORITY_HIGH: Priority

class ResolveRouteRequest(_message.Message):
    __slots__ = ("model", "operation", "explain")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    model: str
    operation: _inventory_pb2.Operation
    explain: bool
    def __init__(self, model: _Optional[str] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ..., explain: _Optional[bool] = ...) -> None: ...

class ResolveRouteResponse(_message.Message):
    __slots__ = ("model", "operation", "candidates", "table", "role_id", "strategy", "explanations", "fallback_roles", "passed_over", "lead", "would_change")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_ID_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_ROLES_FIELD_NUMBER: _ClassVar[int]
    PASSED_OVER_FIELD_NUMBER: _ClassVar[int]
    LEAD_FIELD_NUMBER: _ClassVar[int]
    WOULD_CHANGE_FIELD_NUMBER: _ClassVar[int]
    model: str
    operation: _inventory_pb2.Operation
    candidates: _containers.RepeatedCompositeFieldContainer[ResolvedCandidate]
    table: TableIdentity
    role_id: str
    strategy: Strategy
    explanations: _containers.RepeatedCompositeFieldContainer[Explanation]
    fallback_roles: _containers.RepeatedScalarFieldContainer[str]
    passed_over: _containers.RepeatedCompositeFieldContainer[PassedOver]
    lead: Lead
    would_change: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, model: _Optional[str] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ..., candidates: _Optional[_Iterable[_Union[ResolvedCandidate, _Mapping]]] = ..., table: _Optional[_Union[TableIdentity, _Mapping]] = ..., role_id: _Optional[str] = ..., strategy: _Optional[_Union[Strategy, str]] = ..., explanations: _Optional[_Iterable[_Union[Explanation, _Mapping]]] = ..., fallback_roles: _Optional[_Iterable[str]] = ..., passed_over: _Optional[_Iterable[_Union[PassedOver, _Mapping]]] = ..., lead: _Optional[_Union[Lead, _Mapping]] = ..., would_change: _Optional[_Iterable[str]] = ...) -> None: ...

class PassedOver(_message.Message):
    __slots__ = ("role_id", "reason")
    ROLE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    role_id: str
    reason: str
    def __init__(self, role_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Lead(_message.Message):
    __slots__ = ("service_id", "over_service_id", "by")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    OVER_SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    over_service_id: str
    by: float
    def __init__(self, service_id: _Optional[str] = ..., over_service_id: _Optional[str] = ..., by: _Optional[float] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("service_id", "asset_id", "gates", "terms", "score", "tier", "preferences", "in_flight", "queue_depth", "live_penalty", "chosen", "ejection", "expected", "waiting")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    PREFERENCES_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    LIVE_PENALTY_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_FIELD_NUMBER: _ClassVar[int]
    EJECTION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    asset_id: str
    gates: _containers.RepeatedCompositeFieldContainer[Gate]
    terms: _containers.RepeatedCompositeFieldContainer[ScoreTerm]
    score: float
    tier: int
    preferences: _containers.RepeatedScalarFieldContainer[str]
    in_flight: int
    queue_depth: int
    live_penalty: float
    chosen: bool
    ejection: Ejection
    expected: ExpectedCompletion
    waiting: int
    def __init__(self, service_id: _Optional[str] = ..., asset_id: _Optional[str] = ..., gates: _Optional[_Iterable[_Union[Gate, _Mapping]]] = ..., terms: _Optional[_Iterable[_Union[ScoreTerm, _Mapping]]] = ..., score: _Optional[float] = ..., tier: _Optional[int] = ..., preferences: _Optional[_Iterable[str]] = ..., in_flight: _Optional[int] = ..., queue_depth: _Optional[int] = ..., live_penalty: _Optional[float] = ..., chosen: _Optional[bool] = ..., ejection: _Optional[_Union[Ejection, _Mapping]] = ..., expected: _Optional[_Union[ExpectedCompletion, _Mapping]] = ..., waiting: _Optional[int] = ...) -> None: ...

class ExpectedCompletion(_message.Message):
    __slots__ = ("slot", "pending", "load", "prefill", "decode", "cost")
    SLOT_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    PREFILL_FIELD_NUMBER: _ClassVar[int]
    DECODE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    slot: _duration_pb2.Duration
    pending: _duration_pb2.Duration
    load: _duration_pb2.Duration
    prefill: _duration_pb2.Duration
    decode: _duration_pb2.Duration
    cost: float
    def __init__(self, slot: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., pending: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., load: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., prefill: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., decode: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., cost: _Optional[float] = ...) -> None: ...

class Gate(_message.Message):
    __slots__ = ("name", "passed", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    passed: bool
    detail: str
    def __init__(self, name: _Optional[str] = ..., passed: _Optional[bool] = ..., detail: _Optional[str] = ...) -> None: ...

class ScoreTerm(_message.Message):
    __slots__ = ("name", "weight", "value", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    weight: float
    value: float
    detail: str
    def __init__(self, name: _Optional[str] = ..., weight: _Optional[float] = ..., value: _Optional[float] = ..., detail: _Optional[str] = ...) -> None: ...

class MatchRoutesRequest(_message.Message):
    __slots__ = ("task", "tasks", "workload", "workloads", "operation", "modality", "include_direct_services", "limit")
    TASK_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_FIELD_NUMBER: _ClassVar[int]
    WORKLOADS_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_DIRECT_SERVICES_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    task: str
    tasks: _containers.RepeatedScalarFieldContainer[str]
    workload: str
    workloads: _containers.RepeatedScalarFieldContainer[str]
    operation: _inventory_pb2.Operation
    modality: str
    include_direct_services: bool
    limit: int
    def __init__(self, task: _Optional[str] = ..., tasks: _Optional[_Iterable[str]] = ..., workload: _Optional[str] = ..., workloads: _Optional[_Iterable[str]] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ..., modality: _Optional[str] = ..., include_direct_services: _Optional[bool] = ..., limit: _Optional[int] = ...) -> None: ...

class MatchRoutesResponse(_message.Message):
    __slots__ = ("candidates", "tasks", "workloads")
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    WORKLOADS_FIELD_NUMBER: _ClassVar[int]
    candidates: _containers.RepeatedCompositeFieldContainer[RouteMatch]
    tasks: _containers.RepeatedScalarFieldContainer[str]
    workloads: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, candidates: _Optional[_Iterable[_Union[RouteMatch, _Mapping]]] = ..., tasks: _Optional[_Iterable[str]] = ..., workloads: _Optional[_Iterable[str]] = ...) -> None: ...

class RouteMatch(_message.Message):
    __slots__ = ("role_id", "direct_service_id", "operation", "score", "reasons", "signals", "service_id", "asset_id", "terms")
    ROLE_ID_FIELD_NUMBER: _ClassVar[int]
    DIRECT_SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    role_id: str
    direct_service_id: str
    operation: _inventory_pb2.Operation
    score: float
    reasons: _containers.RepeatedScalarFieldContainer[str]
    signals: MatchSignals
    service_id: str
    asset_id: str
    terms: _containers.RepeatedCompositeFieldContainer[ScoreTerm]
    def __init__(self, role_id: _Optional[str] = ..., direct_service_id: _Optional[str] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ..., score: _Optional[float] = ..., reasons: _Optional[_Iterable[str]] = ..., signals: _Optional[_Union[MatchSignals, _Mapping]] = ..., service_id: _Optional[str] = ..., asset_id: _Optional[str] = ..., terms: _Optional[_Iterable[_Union[ScoreTerm, _Mapping]]] = ...) -> None: ...

class MatchSignals(_message.Message):
    __slots__ = ("task_overlap", "preferred_family_match", "guardrail_profile_match", "loaded", "latency_p50", "tokens_per_second", "queue_depth", "loaded_model_count", "availability", "benchmark_match_count", "best_workload_overlap", "benchmark_quality_score", "benchmark_age", "benchmark_replaced_count")
    TASK_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    PREFERRED_FAMILY_MATCH_FIELD_NUMBER: _ClassVar[int]
    GUARDRAIL_PROFILE_MATCH_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P50_FIELD_NUMBER: _ClassVar[int]
    TOKENS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    LOADED_MODEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    AVAILABILITY_FIELD_NUMBER: _ClassVar[int]
    BENCHMARK_MATCH_COUNT_FIELD_NUMBER: _ClassVar[int]
    BEST_WORKLOAD_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    BENCHMARK_QUALITY_SCORE_FIELD_NUMBER: _ClassVar[int]
    BENCHMARK_AGE_FIELD_NUMBER: _ClassVar[int]
    BENCHMARK_REPLACED_COUNT_FIELD_NUMBER: _ClassVar[int]
    task_overlap: float
    preferred_family_match: float
    guardrail_profile_match: float
    loaded: bool
    latency_p50: _duration_pb2.Duration
    tokens_per_second: float
    queue_depth: int
    loaded_model_count: int
    availability: _inventory_pb2.Availability
    benchmark_match_count: int
    best_workload_overlap: float
    benchmark_quality_score: float
    benchmark_age: _duration_pb2.Duration
    benchmark_replaced_count: int
    def __init__(self, task_overlap: _Optional[float] = ..., preferred_family_match: _Optional[float] = ..., guardrail_profile_match: _Optional[float] = ..., loaded: _Optional[bool] = ..., latency_p50: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., tokens_per_second: _Optional[float] = ..., queue_depth: _Optional[int] = ..., loaded_model_count: _Optional[int] = ..., availability: _Optional[_Union[_inventory_pb2.Availability, str]] = ..., benchmark_match_count: _Optional[int] = ..., best_workload_overlap: _Optional[float] = ..., benchmark_quality_score: _Optional[float] = ..., benchmark_age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., benchmark_replaced_count: _Optional[int] = ...) -> None: ...

class ResolvedCandidate(_message.Message):
    __slots__ = ("candidate", "endpoint", "in_flight")
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    candidate: Candidate
    endpoint: _inventory_pb2.Endpoint
    in_flight: int
    def __init__(self, candidate: _Optional[_Union[Candidate, _Mapping]] = ..., endpoint: _Optional[_Union[_inventory_pb2.Endpoint, _Mapping]] = ..., in_flight: _Optional[int] = ...) -> None: ...

class TableIdentity(_message.Message):
    __slots__ = ("store_id", "incarnation", "version")
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    store_id: str
    incarnation: str
    version: int
    def __init__(self, store_id: _Optional[str] = ..., incarnation: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class Watch(_message.Message):
    __slots__ = ("gateway_id", "held", "unusable", "snapshot_wanted")
    class UnusableEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    UNUSABLE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_WANTED_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    held: TableIdentity
    unusable: _containers.ScalarMap[str, str]
    snapshot_wanted: bool
    def __init__(self, gateway_id: _Optional[str] = ..., held: _Optional[_Union[TableIdentity, _Mapping]] = ..., unusable: _Optional[_Mapping[str, str]] = ..., snapshot_wanted: _Optional[bool] = ...) -> None: ...

class TableUpdate(_message.Message):
    __slots__ = ("identity", "snapshot", "base_version", "settled", "upserts", "tombstones", "table_hash")
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    BASE_VERSION_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    UPSERTS_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONES_FIELD_NUMBER: _ClassVar[int]
    TABLE_HASH_FIELD_NUMBER: _ClassVar[int]
    identity: TableIdentity
    snapshot: bool
    base_version: int
    settled: bool
    upserts: _containers.RepeatedCompositeFieldContainer[Resource]
    tombstones: _containers.RepeatedScalarFieldContainer[str]
    table_hash: int
    def __init__(self, identity: _Optional[_Union[TableIdentity, _Mapping]] = ..., snapshot: _Optional[bool] = ..., base_version: _Optional[int] = ..., settled: _Optional[bool] = ..., upserts: _Optional[_Iterable[_Union[Resource, _Mapping]]] = ..., tombstones: _Optional[_Iterable[str]] = ..., table_hash: _Optional[int] = ...) -> None: ...

class Resource(_message.Message):
    __slots__ = ("name", "hash", "service", "target", "key", "settings", "policy", "target_patch", "room")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    TARGET_PATCH_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    name: str
    hash: int
    service: RouteService
    target: Target
    key: ClientKey
    settings: KeySettings
    policy: RoutePolicy
    target_patch: TargetPatch
    room: RoomSettings
    def __init__(self, name: _Optional[str] = ..., hash: _Optional[int] = ..., service: _Optional[_Union[RouteService, _Mapping]] = ..., target: _Optional[_Union[Target, _Mapping]] = ..., key: _Optional[_Union[ClientKey, _Mapping]] = ..., settings: _Optional[_Union[KeySettings, _Mapping]] = ..., policy: _Optional[_Union[RoutePolicy, _Mapping]] = ..., target_patch: _Optional[_Union[TargetPatch, _Mapping]] = ..., room: _Optional[_Union[RoomSettings, _Mapping]] = ...) -> None: ...

class RouteService(_message.Message):
    __slots__ = ("service_id", "host_id", "endpoint", "concurrency", "api_key", "loaded_asset_count")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    LOADED_ASSET_COUNT_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    host_id: str
    endpoint: _inventory_pb2.Endpoint
    concurrency: int
    api_key: str
    loaded_asset_count: int
    def __init__(self, service_id: _Optional[str] = ..., host_id: _Optional[str] = ..., endpoint: _Optional[_Union[_inventory_pb2.Endpoint, _Mapping]] = ..., concurrency: _Optional[int] = ..., api_key: _Optional[str] = ..., loaded_asset_count: _Optional[int] = ...) -> None: ...

class RoomSettings(_message.Message):
    __slots__ = ("waiting", "priority", "highest_priority")
    WAITING_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    HIGHEST_PRIORITY_FIELD_NUMBER: _ClassVar[int]
    waiting: bool
    priority: Priority
    highest_priority: Priority
    def __init__(self, waiting: _Optional[bool] = ..., priority: _Optional[_Union[Priority, str]] = ..., highest_priority: _Optional[_Union[Priority, str]] = ...) -> None: ...

class Target(_message.Message):
    __slots__ = ("name", "operation", "candidates", "strategy", "role", "fallback_roles", "queue_steps", "priority")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_ROLES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_STEPS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    name: str
    operation: _inventory_pb2.Operation
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    strategy: Strategy
    role: bool
    fallback_roles: _containers.RepeatedScalarFieldContainer[str]
    queue_steps: _containers.RepeatedCompositeFieldContainer[QueueStep]
    priority: Priority
    def __init__(self, name: _Optional[str] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., strategy: _Optional[_Union[Strategy, str]] = ..., role: _Optional[bool] = ..., fallback_roles: _Optional[_Iterable[str]] = ..., queue_steps: _Optional[_Iterable[_Union[QueueStep, _Mapping]]] = ..., priority: _Optional[_Union[Priority, str]] = ...) -> None: ...

class QueueStep(_message.Message):
    __slots__ = ("queue_depth", "penalty")
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    PENALTY_FIELD_NUMBER: _ClassVar[int]
    queue_depth: int
    penalty: float
    def __init__(self, queue_depth: _Optional[int] = ..., penalty: _Optional[float] = ...) -> None: ...

class TargetPatch(_message.Message):
    __slots__ = ("base_hash", "upserts", "removed")
    BASE_HASH_FIELD_NUMBER: _ClassVar[int]
    UPSERTS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    base_hash: int
    upserts: _containers.RepeatedCompositeFieldContainer[Candidate]
    removed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, base_hash: _Optional[int] = ..., upserts: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., removed: _Optional[_Iterable[str]] = ...) -> None: ...

class RoutePolicy(_message.Message):
    __slots__ = ("policy_id", "policy")
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy_id: int
    policy: _inventory_pb2.RequestPolicy
    def __init__(self, policy_id: _Optional[int] = ..., policy: _Optional[_Union[_inventory_pb2.RequestPolicy, _Mapping]] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("service_id", "asset_id", "score", "tier", "runtime", "policy_id", "absent")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    asset_id: str
    score: float
    tier: int
    runtime: float
    policy_id: int
    absent: bool
    def __init__(self, service_id: _Optional[str] = ..., asset_id: _Optional[str] = ..., score: _Optional[float] = ..., tier: _Optional[int] = ..., runtime: _Optional[float] = ..., policy_id: _Optional[int] = ..., absent: _Optional[bool] = ...) -> None: ...

class ClientKey(_message.Message):
    __slots__ = ("principal_id", "key_hash", "priority", "highest_priority")
    PRINCIPAL_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_HASH_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    HIGHEST_PRIORITY_FIELD_NUMBER: _ClassVar[int]
    principal_id: str
    key_hash: bytes
    priority: Priority
    highest_priority: Priority
    def __init__(self, principal_id: _Optional[str] = ..., key_hash: _Optional[bytes] = ..., priority: _Optional[_Union[Priority, str]] = ..., highest_priority: _Optional[_Union[Priority, str]] = ...) -> None: ...

class KeySettings(_message.Message):
    __slots__ = ("required", "hash_secret")
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    HASH_SECRET_FIELD_NUMBER: _ClassVar[int]
    required: bool
    hash_secret: bytes
    def __init__(self, required: _Optional[bool] = ..., hash_secret: _Optional[bytes] = ...) -> None: ...

class WatchRoutesRequest(_message.Message):
    __slots__ = ("watch",)
    WATCH_FIELD_NUMBER: _ClassVar[int]
    watch: Watch
    def __init__(self, watch: _Optional[_Union[Watch, _Mapping]] = ...) -> None: ...

class WatchRoutesResponse(_message.Message):
    __slots__ = ("update",)
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    update: TableUpdate
    def __init__(self, update: _Optional[_Union[TableUpdate, _Mapping]] = ...) -> None: ...

class WatchKeysRequest(_message.Message):
    __slots__ = ("watch",)
    WATCH_FIELD_NUMBER: _ClassVar[int]
    watch: Watch
    def __init__(self, watch: _Optional[_Union[Watch, _Mapping]] = ...) -> None: ...

class WatchKeysResponse(_message.Message):
    __slots__ = ("update",)
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    update: TableUpdate
    def __init__(self, update: _Optional[_Union[TableUpdate, _Mapping]] = ...) -> None: ...

class ExchangeLoadRequest(_message.Message):
    __slots__ = ("gateway_id", "loads", "rates")
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    LOADS_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    loads: _containers.RepeatedCompositeFieldContainer[ServiceLoad]
    rates: _containers.RepeatedCompositeFieldContainer[_inventory_pb2.LearnedRates]
    def __init__(self, gateway_id: _Optional[str] = ..., loads: _Optional[_Iterable[_Union[ServiceLoad, _Mapping]]] = ..., rates: _Optional[_Iterable[_Union[_inventory_pb2.LearnedRates, _Mapping]]] = ...) -> None: ...

class ExchangeLoadResponse(_message.Message):
    __slots__ = ("loads", "interval", "rates")
    LOADS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    loads: _containers.RepeatedCompositeFieldContainer[ServiceLoad]
    interval: _duration_pb2.Duration
    rates: _containers.RepeatedCompositeFieldContainer[_inventory_pb2.LearnedRates]
    def __init__(self, loads: _Optional[_Iterable[_Union[ServiceLoad, _Mapping]]] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., rates: _Optional[_Iterable[_Union[_inventory_pb2.LearnedRates, _Mapping]]] = ...) -> None: ...

class ServiceLoad(_message.Message):
    __slots__ = ("service_id", "in_flight", "queue_depth", "ejection", "pending_prefill", "waiting")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    EJECTION_FIELD_NUMBER: _ClassVar[int]
    PENDING_PREFILL_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    in_flight: int
    queue_depth: int
    ejection: Ejection
    pending_prefill: _duration_pb2.Duration
    waiting: int
    def __init__(self, service_id: _Optional[str] = ..., in_flight: _Optional[int] = ..., queue_depth: _Optional[int] = ..., ejection: _Optional[_Union[Ejection, _Mapping]] = ..., pending_prefill: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., waiting: _Optional[int] = ...) -> None: ...

class Ejection(_message.Message):
    __slots__ = ("remaining", "reason", "gateway_count", "hinted")
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_COUNT_FIELD_NUMBER: _ClassVar[int]
    HINTED_FIELD_NUMBER: _ClassVar[int]
    remaining: _duration_pb2.Duration
    reason: str
    gateway_count: int
    hinted: bool
    def __init__(self, remaining: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reason: _Optional[str] = ..., gateway_count: _Optional[int] = ..., hinted: _Optional[bool] = ...) -> None: ...
