"""JSON bodies of requests that are not inference: read whole, within bounds, and checked."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from fastapi import Request
from starlette.requests import ClientDisconnect

from control.api.errors import BadRequest, BodyTooLarge, InvalidBody, InvalidValue

# Times the limit. Who is still sending when we close is reset, and never reads the answer.
DRAINED = 4

T = TypeVar("T")

_MISSING = re.compile(r"Object missing required field `(\w+)`")
_PLACE = re.compile(r"`\$\.(\w+)")


async def read(request: Request, limit: int) -> bytes:
    """Return the body of a request. limit: bytes.

    Raises:
        BodyTooLarge: it is larger; a rest without end is not waited for.
        InvalidBody: the client left.
    """
    content = bytearray()
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= limit:
                content += chunk
            elif size > DRAINED * limit:
                break
    except ClientDisconnect as error:
        raise InvalidBody("the body did not come whole") from error  # nobody reads it
    if size > limit:
        raise BodyTooLarge(f"the body is larger than {limit:,} bytes")
    return bytes(content)


def decoded(
    decode: Callable[[bytes | msgspec.Raw], T],
    raw: bytes | msgspec.Raw,
    place: str = "",
    known: Mapping[str, str] | None = None,
) -> T:
    """Return what JSON says.

    place: of what stands in `raw` within the body, empty for the body itself. known: what a
    field may be, in words.

    Raises:
        InvalidBody: it is not one JSON object in UTF-8.
        InvalidValue: a value is missing, of the wrong type, or out of its range.
    """
    try:
        bytes(raw).decode()  # what the decoder skips, it does not look at
        return decode(raw)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), place, known or {}) from error
    except RecursionError as error:
        raise InvalidBody("the body is not valid JSON: nested too deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidBody("the body is not valid JSON in UTF-8") from error


def _refusal(message: str, place: str, known: Mapping[str, str]) -> BadRequest:
    what, _, where = message.partition(" - at ")
    if missing := _MISSING.match(what):
        name = f"{place}.{missing[1]}" if place else missing[1]
        return InvalidValue(f"{name!r} is missing", param=name)
    field = _PLACE.match(where)
    if field is None and not place:
        return InvalidBody("the body is not a JSON object")
    name = ".".join(filter(None, (place, field[1] if field else "")))
    hint = f"; there are {known[name]}" if name in known else ""
    return InvalidValue(f"{name!r}: {what[:1].lower()}{what[1:]}{hint}", param=name)
