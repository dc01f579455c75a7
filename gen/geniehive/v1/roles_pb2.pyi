from geniehive.v1 import inventory_pb2 as _inventory_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(_message.Message):
    __slots__ = ("role_id", "display_name", "description", "operation", "modality", "request_policy", "routing_policy")
    ROLE_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_POLICY_FIELD_NUMBER: _ClassVar[int]
    ROUTING_POLICY_FIELD_NUMBER: _ClassVar[int]
    role_id: str
    display_name: str
    description: str
    operation: _inventory_pb2.Operation
    modality: str
    request_policy: _inventory_pb2.RequestPolicy
    routing_policy: RoutingPolicy
    def __init__(self, role_id: _Optional[str] = ..., display_name: _Optional[str] = ..., description: _Optional[str] = ..., operation: _Optional[_Union[_inventory_pb2.Operation, str]] = ..., modality: _Optional[str] = ..., request_policy: _Optional[_Union[_inventory_pb2.RequestPolicy, _Mapping]] = ..., routing_policy: _Optional[_Union[RoutingPolicy, _Mapping]] = ...) -> None: ...

class RoutingPolicy(_message.Message):
    __slots__ = ("preferred_families", "preferred_labels", "min_context", "require_loaded", "allow_employee_devices", "allow_providers", "allowed_trust_tiers", "denied_trust_tiers", "allowed_device_classes", "denied_device_classes", "allowed_workload_classes", "denied_workload_classes", "fallback_roles", "guardrail_profile", "agentic_benchmark_workloads", "strategy", "priority")
    PREFERRED_FAMILIES_FIELD_NUMBER: _ClassVar[int]
    PREFERRED_LABELS_FIELD_NUMBER: _ClassVar[int]
    MIN_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_LOADED_FIELD_NUMBER: _ClassVar[int]
    ALLOW_EMPLOYEE_DEVICES_FIELD_NUMBER: _ClassVar[int]
    ALLOW_PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_TRUST_TIERS_FIELD_NUMBER: _ClassVar[int]
    DENIED_TRUST_TIERS_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_DEVICE_CLASSES_FIELD_NUMBER: _ClassVar[int]
    DENIED_DEVICE_CLASSES_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_WORKLOAD_CLASSES_FIELD_NUMBER: _ClassVar[int]
    DENIED_WORKLOAD_CLASSES_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_ROLES_FIELD_NUMBER: _ClassVar[int]
    GUARDRAIL_PROFILE_FIELD_NUMBER: _ClassVar[int]
    AGENTIC_BENCHMARK_WORKLOADS_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    preferred_families: _containers.RepeatedScalarFieldContainer[str]
    preferred_labels: _containers.RepeatedScalarFieldContainer[str]
    min_context: int
    require_loaded: bool
    allow_employee_devices: bool
    allow_providers: bool
    allowed_trust_tiers: _containers.RepeatedScalarFieldContainer[str]
    denied_trust_tiers: _containers.RepeatedScalarFieldContainer[str]
    allowed_device_classes: _containers.RepeatedScalarFieldContainer[str]
    denied_device_classes: _containers.RepeatedScalarFieldContainer[str]
    allowed_workload_classes: _containers.RepeatedScalarFieldContainer[str]
    denied_workload_classes: _containers.RepeatedScalarFieldContainer[str]
    fallback_roles: _containers.RepeatedScalarFieldContainer[str]
    guardrail_profile: str
    agentic_benchmark_workloads: _containers.RepeatedScalarFieldContainer[str]
    strategy: str
    priority: str
    def __init__(self, preferred_families: _Optional[_Iterable[str]] = ..., preferred_labels: _Optional[_Iterable[str]] = ..., min_context: _Optional[int] = ..., require_loaded: _Optional[bool] = ..., allow_employee_devices: _Optional[bool] = ..., allow_providers: _Optional[bool] = ..., allowed_trust_tiers: _Optional[_Iterable[str]] = ..., denied_trust_tiers: _Optional[_Iterable[str]] = ..., allowed_device_classes: _Optional[_Iterable[str]] = ..., denied_device_classes: _Optional[_Iterable[str]] = ..., allowed_workload_classes: _Optional[_Iterable[str]] = ..., denied_workload_classes: _Optional[_Iterable[str]] = ..., fallback_roles: _Optional[_Iterable[str]] = ..., guardrail_profile: _Optional[str] = ..., agentic_benchmark_workloads: _Optional[_Iterable[str]] = ..., strategy: _Optional[str] = ..., priority: _Optional[str] = ...) -> None: ...
