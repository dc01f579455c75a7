import datetime

from geniehive.v1 import inventory_pb2 as _inventory_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ResolveRouteRequest(_message.Message):
    __slots__ = ("model", "operation")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    model: str
    operation: _inventory_pb2.Operation
    def __init__(self, model: _Optional[str] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ...) -> None: ...

class ResolveRouteResponse(_message.Message):
    __slots__ = ("model", "operation", "candidates", "table")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    model: str
    operation: _inventory_pb2.Operation
    candidates: _containers.RepeatedCompositeFieldContainer[ResolvedCandidate]
    table: TableIdentity
    def __init__(self, model: _Optional[str] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ..., candidates: _Optional[_Iterable[_Union[ResolvedCandidate, _Mapping]]] = ..., table: _Optional[_Union[TableIdentity, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("name", "hash", "service", "target", "key", "settings")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HASH_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    hash: int
    service: RouteService
    target: Target
    key: ClientKey
    settings: KeySettings
    def __init__(self, name: _Optional[str] = ..., hash: _Optional[int] = ..., service: _Optional[_Union[RouteService, _Mapping]] = ..., target: _Optional[_Union[Target, _Mapping]] = ..., key: _Optional[_Union[ClientKey, _Mapping]] = ..., settings: _Optional[_Union[KeySettings, _Mapping]] = ...) -> None: ...

class RouteService(_message.Message):
    __slots__ = ("service_id", "host_id", "endpoint", "concurrency")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    host_id: str
    endpoint: _inventory_pb2.Endpoint
    concurrency: int
    def __init__(self, service_id: _Optional[str] = ..., host_id: _Optional[str] = ..., endpoint: _Optional[_Union[_inventory_pb2.Endpoint, _Mapping]] = ..., concurrency: _Optional[int] = ...) -> None: ...

class Target(_message.Message):
    __slots__ = ("name", "operation", "candidates")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    name: str
    operation: _inventory_pb2.Operation
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    def __init__(self, name: _Optional[str] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("service_id", "asset_id", "score")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    asset_id: str
    score: float
    def __init__(self, service_id: _Optional[str] = ..., asset_id: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class ClientKey(_message.Message):
    __slots__ = ("principal_id", "key_hash")
    PRINCIPAL_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_HASH_FIELD_NUMBER: _ClassVar[int]
    principal_id: str
    key_hash: bytes
    def __init__(self, principal_id: _Optional[str] = ..., key_hash: _Optional[bytes] = ...) -> None: ...

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
    __slots__ = ("gateway_id", "loads")
    GATEWAY_ID_FIELD_NUMBER: _ClassVar[int]
    LOADS_FIELD_NUMBER: _ClassVar[int]
    gateway_id: str
    loads: _containers.RepeatedCompositeFieldContainer[ServiceLoad]
    def __init__(self, gateway_id: _Optional[str] = ..., loads: _Optional[_Iterable[_Union[ServiceLoad, _Mapping]]] = ...) -> None: ...

class ExchangeLoadResponse(_message.Message):
    __slots__ = ("loads", "interval")
    LOADS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    loads: _containers.RepeatedCompositeFieldContainer[ServiceLoad]
    interval: _duration_pb2.Duration
    def __init__(self, loads: _Optional[_Iterable[_Union[ServiceLoad, _Mapping]]] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ServiceLoad(_message.Message):
    __slots__ = ("service_id", "in_flight", "queue_depth")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    in_flight: int
    queue_depth: int
    def __init__(self, service_id: _Optional[str] = ..., in_flight: _Optional[int] = ..., queue_depth: _Optional[int] = ...) -> None: ...
