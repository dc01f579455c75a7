"""What the head of an engine's answer means for the request."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import msgspec

from control.api.errors import (
    AllBusy,
    GenieHiveError,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamError,
)

# What an engine says of the request itself; the client must see it.
ANSWERS = frozenset({400, 404, 413, 422})

_SECONDS = re.compile(rb"\d{1,9}")
MAX_RETRY_AFTER = 3_600  # seconds; whoever says more cannot mean it


class Course(Enum):
    """How the request goes on."""

    STREAM = auto()  # events, to relay as they come
    DOCUMENT = auto()  # JSON, to collect and pass on
    ELSEWHERE = auto()  # another service may do better
    FAILED = auto()  # the engine works, but no answer to this request can be had from it


@dataclass(frozen=True, slots=True)
class Verdict:
    """A course; for ELSEWHERE and FAILED with the error to tell when nothing else helps."""

    course: Course
    error: GenieHiveError | None = None


STREAM = Verdict(Course.STREAM)
DOCUMENT = Verdict(Course.DOCUMENT)


def judge(status: int, headers: Mapping[bytes, bytes], service: str) -> Verdict:
    """Return what an answer that begins so means. headers: names in lower case."""
    content_type = headers.get(b"content-type", b"").lower()
    if status == 429 or (status == 503 and b"retry-after" in headers):
        after = retry_after(headers.get(b"retry-after", b""))
        return _elsewhere(AllBusy(f"{service} is busy ({status})", retry_after=after))
    if status >= 500:
        failure = UpstreamError(f"{service} failed ({status})")
        failure.counted = f"answer {status}", f"answers {status}"
        return _elsewhere(failure)
    if status in (401, 403):
        source = "its node gets it from services[].api_key_env"
        return _failed(UpstreamAuthFailed(f"{service} wants a valid API key ({status}); {source}"))
    if status >= 400 and status not in ANSWERS:
        return _failed(UpstreamError(f"{service} refused to answer ({status})"))
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        return _unusable(f"{service} sent an encoding that was not asked for")
    if status in ANSWERS:
        return DOCUMENT
    if status == 200:
        if content_type.startswith(b"text/event-stream"):
            return STREAM
        if content_type.startswith(b"application/json"):
            return DOCUMENT
        shown = content_type[:60].decode("ascii", "replace") or "nothing"
        return _unusable(f"{service} sent {shown} instead of JSON")
    if status < 300:
        return _unusable(f"{service} sent {status}, which is no answer")
    return _unusable(f"{service} redirects ({status}); not followed")


def retry_after(value: bytes) -> int | None:
    """Return the seconds that `value` tells, 1 to `MAX_RETRY_AFTER`; None when it tells none.

    A date (RFC 9110, 10.2.3) would be one of the engine's clock, which nobody has set to ours.
    """
    found = _SECONDS.fullmatch(value.strip())
    return min(max(int(found[0]), 1), MAX_RETRY_AFTER) if found else None


class _Told(msgspec.Struct):
    error: Any = None


_told = msgspec.json.Decoder(_Told).decode


def error_in(document: bytes, service: str) -> UpstreamError | None:
    """Return the failure that `document` tells although its status was 200, as some engines do."""
    if document.find(b'"error"') < 0:  # nearly always
        return None
    try:
        told = _told(document)
    except msgspec.DecodeError:  # whether it is a document at all is judged elsewhere
        return None
    return UpstreamError(f"{service} answered 200 with an error") if told.error else None


def _unusable(message: str) -> Verdict:
    return _elsewhere(UpstreamBadResponse(message))


def _elsewhere(error: GenieHiveError) -> Verdict:
    return Verdict(Course.ELSEWHERE, error)


def _failed(error: GenieHiveError) -> Verdict:
    return Verdict(Course.FAILED, error)
