import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReportUsageRequest(_message.Message):
    __slots__ = ("reporter_id", "sequence", "increments")
    REPORTER_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    INCREMENTS_FIELD_NUMBER: _ClassVar[int]
    reporter_id: str
    sequence: int
    increments: _containers.RepeatedCompositeFieldContainer[UsageIncrement]
    def __init__(self, reporter_id: _Optional[str] = ..., sequence: _Optional[int] = ..., increments: _Optional[_Iterable[_Union[UsageIncrement, _Mapping]]] = ...) -> None: ...

class ReportUsageResponse(_message.Message):
    __slots__ = ("sequence", "interval")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    interval: _duration_pb2.Duration
    def __init__(self, sequence: _Optional[int] = ..., interval: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class UsageIncrement(_message.Message):
    __slots__ = ("service_id", "asset_id", "answered_count", "abandoned_count", "error_counts", "prompt_tokens", "completion_tokens", "decoded_tokens", "decode_duration", "first_byte_counts")
    class ErrorCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class FirstByteCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: int
        def __init__(self, key: _Optional[int] = ..., value: _Optional[int] = ...) -> None: ...
    SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ABANDONED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_COUNTS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DECODED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DECODE_DURATION_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    service_id: str
    asset_id: str
    answered_count: int
    abandoned_count: int
    error_counts: _containers.ScalarMap[str, int]
    prompt_tokens: int
    completion_tokens: int
    decoded_tokens: int
    decode_duration: _duration_pb2.Duration
    first_byte_counts: _containers.ScalarMap[int, int]
    def __init__(self, service_id: _Optional[str] = ..., asset_id: _Optional[str] = ..., answered_count: _Optional[int] = ..., abandoned_count: _Optional[int] = ..., error_counts: _Optional[_Mapping[str, int]] = ..., prompt_tokens: _Optional[int] = ..., completion_tokens: _Optional[int] = ..., decoded_tokens: _Optional[int] = ..., decode_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., first_byte_counts: _Optional[_Mapping[int, int]] = ...) -> None: ...
