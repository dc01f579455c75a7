import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BenchmarkSample(_message.Message):
    __slots__ = ("benchmark_id", "service_id", "asset_id", "workload", "observed_time", "results", "asset_digest", "service_known", "weight")
    BENCHMARK_ID_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_TIME_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    ASSET_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SERVICE_KNOWN_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    benchmark_id: str
    service_id: str
    asset_id: str
    workload: str
    observed_time: _timestamp_pb2.Timestamp
    results: _struct_pb2.Struct
    asset_digest: str
    service_known: bool
    weight: float
    def __init__(self, benchmark_id: _Optional[str] = ..., service_id: _Optional[str] = ..., asset_id: _Optional[str] = ..., workload: _Optional[str] = ..., observed_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., results: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., asset_digest: _Optional[str] = ..., service_known: _Optional[bool] = ..., weight: _Optional[float] = ...) -> None: ...

class IngestBenchmarkSamplesRequest(_message.Message):
    __slots__ = ("samples",)
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    samples: _containers.RepeatedCompositeFieldContainer[BenchmarkSample]
    def __init__(self, samples: _Optional[_Iterable[_Union[BenchmarkSample, _Mapping]]] = ...) -> None: ...

class IngestBenchmarkSamplesResponse(_message.Message):
    __slots__ = ("created_count", "replaced_count", "benchmark_ids", "unknown_service_ids")
    CREATED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REPLACED_COUNT_FIELD_NUMBER: _ClassVar[int]
    BENCHMARK_IDS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_SERVICE_IDS_FIELD_NUMBER: _ClassVar[int]
    created_count: int
    replaced_count: int
    benchmark_ids: _containers.RepeatedScalarFieldContainer[str]
    unknown_service_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, created_count: _Optional[int] = ..., replaced_count: _Optional[int] = ..., benchmark_ids: _Optional[_Iterable[str]] = ..., unknown_service_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ListBenchmarkSamplesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "service_id", "asset_id", "workload")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    service_id: str
    asset_id: str
    workload: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., service_id: _Optional[str] = ..., asset_id: _Optional[str] = ..., workload: _Optional[str] = ...) -> None: ...

class ListBenchmarkSamplesResponse(_message.Message):
    __slots__ = ("samples", "next_page_token")
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    samples: _containers.RepeatedCompositeFieldContainer[BenchmarkSample]
    next_page_token: str
    def __init__(self, samples: _Optional[_Iterable[_Union[BenchmarkSample, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
