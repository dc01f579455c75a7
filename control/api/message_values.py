"""Values of messages as JSON has them: null for what is not told, numbers with their unit."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

T = TypeVar("T")

MILLISECOND = 1_000_000  # in nanoseconds: whole numbers, so that division rounds once
SECOND = 1_000 * MILLISECOND
MAX_EXACT = 1 << 53  # whole numbers up to here are exact as floating point


def told(message: Message, field: str) -> object:
    """Return an optional field, None where it is not told."""
    return getattr(message, field) if message.HasField(field) else None


def moment(message: Message, field: str) -> float | None:
    """Return a `Timestamp` in seconds since 1970, None where it is not told."""
    if not message.HasField(field):
        return None
    found: Timestamp = getattr(message, field)
    return (found.seconds * SECOND + found.nanos) / SECOND


def seconds(message: Message, field: str) -> float | None:
    """Return a `Duration` in seconds, None where it is not told."""
    if not message.HasField(field):
        return None
    found: Duration = getattr(message, field)
    return (found.seconds * SECOND + found.nanos) / SECOND


def milliseconds(message: Message, field: str) -> float | None:
    """Return a `Duration` in milliseconds, None where it is not told."""
    if not message.HasField(field):
        return None
    found: Duration = getattr(message, field)
    return (found.seconds * SECOND + found.nanos) / MILLISECOND


def ordered(pairs: Mapping[str, T]) -> dict[str, T]:
    """Return a map by name: messages hold them in any order."""
    return dict(sorted(pairs.items()))


def whole(number: float) -> int | float:
    """Return a number as an integer where it is one, exactly."""
    return int(number) if number.is_integer() and abs(number) < MAX_EXACT else number


def plain(message: Struct, number: Callable[[float], object] = whole) -> dict[str, object]:
    """Return a JSON object as plain values, its numbers as `number` makes them."""
    return {name: _plain(value, number) for name, value in sorted(message.fields.items())}


def _plain(value: Value, number: Callable[[float], object]) -> object:
    match value.WhichOneof("kind"):
        case "number_value":
            return number(value.number_value)
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return plain(value.struct_value, number)
        case "list_value":
            return [_plain(one, number) for one in value.list_value.values]
        case _:
            return None
