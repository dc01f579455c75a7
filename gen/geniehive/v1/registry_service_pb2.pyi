import datetime

from geniehive.v1 import inventory_pb2 as _inventory_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegisterHostRequest(_message.Message):
    __slots__ = ("host", "instance_id", "services", "machine")
    HOST_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    host: _inventory_pb2.Host
    instance_id: str
    services: _containers.RepeatedCompositeFieldContainer[_inventory_pb2.Service]
    machine: _inventory_pb2.MachineInventory
    def __init__(self, host: _Optional[_Union[_inventory_pb2.Host, _Mapping]] = ..., instance_id: _Optional[str] = ..., services: _Optional[_Iterable[_Union[_inventory_pb2.Service, _Mapping]]] = ..., machine: _Optional[_Union[_inventory_pb2.MachineInventory, _Mapping]] = ...) -> None: ...

class RegisterHostResponse(_message.Message):
    __slots__ = ("lease", "pace")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    PACE_FIELD_NUMBER: _ClassVar[int]
    lease: Lease
    pace: Pace
    def __init__(self, lease: _Optional[_Union[Lease, _Mapping]] = ..., pace: _Optional[_Union[Pace, _Mapping]] = ...) -> None: ...

class Lease(_message.Message):
    __slots__ = ("host_id", "instance_id", "generation")
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    host_id: str
    instance_id: str
    generation: int
    def __init__(self, host_id: _Optional[str] = ..., instance_id: _Optional[str] = ..., generation: _Optional[int] = ...) -> None: ...

class Pace(_message.Message):
    __slots__ = ("heartbeat_interval", "lease_duration", "reconnect_window")
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    LEASE_DURATION_FIELD_NUMBER: _ClassVar[int]
    RECONNECT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    heartbeat_interval: _duration_pb2.Duration
    lease_duration: _duration_pb2.Duration
    reconnect_window: _duration_pb2.Duration
    def __init__(self, heartbeat_interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., lease_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., reconnect_window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("lease", "sequence", "metrics", "services", "machine")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    lease: Lease
    sequence: int
    metrics: _inventory_pb2.HostMetrics
    services: _containers.RepeatedCompositeFieldContainer[ServiceBeat]
    machine: _inventory_pb2.MachineInventory
    def __init__(self, lease: _Optional[_Union[Lease, _Mapping]] = ..., sequence: _Optional[int] = ..., metrics: _Optional[_Union[_inventory_pb2.HostMetrics, _Mapping]] = ..., services: _Optional[_Iterable[_Union[ServiceBeat, _Mapping]]] = ..., machine: _Optional[_Union[_inventory_pb2.MachineInventory, _Mapping]] = ...) -> None: ...

class ServiceBeat(_message.Message):
    __slots__ = ("service_id", "observation", "definition")
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    OBSERVATION_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    observation: _inventory_pb2.ServiceObservation
    definition: _inventory_pb2.Service
    def __init__(self, service_id: _Optional[str] = ..., observation: _Optional[_Union[_inventory_pb2.ServiceObservation, _Mapping]] = ..., definition: _Optional[_Union[_inventory_pb2.Service, _Mapping]] = ...) -> None: ...

class StreamHeartbeatsRequest(_message.Message):
    __slots__ = ("heartbeat",)
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    heartbeat: Heartbeat
    def __init__(self, heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...

class StreamHeartbeatsResponse(_message.Message):
    __slots__ = ("sequence", "pace", "wanted_service_ids", "refused_services", "in_flight")
    class RefusedServicesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PACE_FIELD_NUMBER: _ClassVar[int]
    WANTED_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_SERVICES_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    pace: Pace
    wanted_service_ids: _containers.RepeatedScalarFieldContainer[str]
    refused_services: _containers.ScalarMap[str, str]
    in_flight: int
    def __init__(self, sequence: _Optional[int] = ..., pace: _Optional[_Union[Pace, _Mapping]] = ..., wanted_service_ids: _Optional[_Iterable[str]] = ..., refused_services: _Optional[_Mapping[str, str]] = ..., in_flight: _Optional[int] = ...) -> None: ...

class SendHeartbeatRequest(_message.Message):
    __slots__ = ("heartbeat",)
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    heartbeat: Heartbeat
    def __init__(self, heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...

class SendHeartbeatResponse(_message.Message):
    __slots__ = ("pace", "wanted_service_ids", "refused_services", "in_flight")
    class RefusedServicesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PACE_FIELD_NUMBER: _ClassVar[int]
    WANTED_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_SERVICES_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    pace: Pace
    wanted_service_ids: _containers.RepeatedScalarFieldContainer[str]
    refused_services: _containers.ScalarMap[str, str]
    in_flight: int
    def __init__(self, pace: _Optional[_Union[Pace, _Mapping]] = ..., wanted_service_ids: _Optional[_Iterable[str]] = ..., refused_services: _Optional[_Mapping[str, str]] = ..., in_flight: _Optional[int] = ...) -> None: ...

class DeregisterHostRequest(_message.Message):
    __slots__ = ("host_id", "lease")
    HOST_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    host_id: str
    lease: Lease
    def __init__(self, host_id: _Optional[str] = ..., lease: _Optional[_Union[Lease, _Mapping]] = ...) -> None: ...

class DeregisterHostResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
