"""Tells how requests went, to who made them; whichever worker served them."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from control.api.errors import NotFound
from control.api.route_documents import Document
from gateway import keys
from gateway.gateway import Gateway
from gateway.listing import MAX_LIMIT, json
from gateway.recent import LIMIT
from gateway.record import Attempt, Queued, Record
from gateway.retold import read
from gateway.routes import shown
from gateway.steps import Steps, paced

DEFAULT_LIMIT = 20


def router(gateway: Gateway, told: Callable[[], Sequence[bytes]]) -> APIRouter:
    """Return the paths below `/v1/requests`. told: what workers tell each other, see `Scrape`."""
    paths = APIRouter(prefix="/v1/requests")

    async def principal(request: Request) -> str:
        return gateway.keys.principal(keys.presented(request.headers.raw))

    @paths.get("")
    async def newest(
        asker: Annotated[str, Depends(principal)],
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    ) -> Response:
        """List the requests that were made with the same key, newest first.

        Those that run, the last ones that were answered at once, and as many of the others.
        """
        found = await paced(_records(gateway, told(), asker))
        return json(documents(found[:limit]))

    @paths.get("/{request_id}")
    async def one(request_id: str, asker: Annotated[str, Depends(principal)]) -> Response:
        """Tell how one request went, that was made with the same key; never what it said.

        By its `x-request-id`, or by the one that the client gave it: then the newest.
        """
        found = await paced(_records(gateway, told(), asker))
        for record in found:
            if record.request_id == request_id:
                return json(document(record))
        for record in found:
            if record.client_id == request_id:
                return json(document(record))
        raise NotFound(
            f"no request {shown(request_id)} of yours is remembered; the last {LIMIT:,} that were"
            f" answered at once are, and the last {LIMIT:,} others"
        )

    return paths


def documents(records: Sequence[Record]) -> Document:
    """Return what is told of several requests."""
    return {"object": "list", "data": [document(one) for one in records]}


def document(record: Record) -> Document:
    """Return what is told of a request."""
    return {
        "id": record.request_id,
        "object": "request",
        "client_request_id": record.client_id or None,
        "operation": record.operation,
        "model": record.model or None,
        "outcome": record.outcome,
        "status": record.status or None,
        "message": record.message or None,
        "began_at": round(record.began, 3),
        "overhead_ms": _overhead_ms(record),
        "queue": _queue(record.queued),
        "first_byte_s": _rounded(record.first_byte),
        "duration_s": _rounded(record.ended),
        "attempts": [_attempt(one) for one in record.attempts],
        "usage": _usage(record),
    }


def _overhead_ms(record: Record) -> float | None:
    """Return how long it took until somebody was asked: what comes later, others take."""
    return None if record.overhead is None else round(record.overhead * 1_000, 2)


def _queue(queued: Queued | None) -> Document | None:
    if queued is None:
        return None
    return {
        "entered_s": _rounded(queued.at),
        "waited_s": _rounded(queued.seconds),
        "position": queued.position,
        "reason": queued.reason,
    }


def _attempt(attempt: Attempt) -> Document:
    error = {"code": attempt.code, "message": attempt.message} if attempt.code else None
    return {
        "began_s": _rounded(attempt.at),
        "service_id": attempt.service_id,
        "host_id": attempt.host_id,
        "asset_id": attempt.asset_id,
        "error": error,
    }


def _usage(record: Record) -> Document | None:
    if record.prompt_tokens is None:
        return None
    return {
        "prompt_tokens": record.prompt_tokens,
        "completion_tokens": record.completion_tokens,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _records(gateway: Gateway, told: Sequence[bytes], asker: str) -> Steps[list[Record]]:
    """Return all that is known of the requests of `asker`, newest first."""
    found: dict[str, Record] = {}
    for content in told:
        for record in read(content).records():
            if record.principal == asker:
                found[record.request_id] = record
            yield
    # What this worker knows itself is newer than what it told.
    for exchange in (*gateway.active, *gateway.recent.noteworthy, *gateway.recent.plain):
        record = exchange.record()
        if record.principal == asker:
            found[record.request_id] = record
        yield
    return sorted(found.values(), key=attrgetter("began"), reverse=True)
