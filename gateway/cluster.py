"""Questions about routes, as clients ask them over HTTP; control answers."""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, Protocol, TypeVar, get_args

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb
from starlette.requests import ClientDisconnect

from control.api import route_documents as documents
from control.api.errors import (
    BadRequest,
    BodyTooLarge,
    InvalidBody,
    InvalidValue,
    NoHealthyRoute,
)
from gateway.request_head import check_content
from gateway.routes import shown
from gateway.steps import Steps, paced

MAX_BODY = 1 << 20  # bytes
MAX_TEXTS = 100
MAX_LIMIT = 1_000  # what control takes
MAX_NAME = 200

M = TypeVar("M")

Kind = Literal["chat", "embeddings", "transcription"]
Texts = Annotated[list[str], msgspec.Meta(max_length=MAX_TEXTS)]


class MatchRequest(msgspec.Struct):
    """What is to be done, and who is asked for. What else a body says is not read."""

    task: str | None = None
    tasks: Texts | None = None
    workload: str | None = None
    workloads: Texts | None = None
    kind: Kind | None = None
    modality: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] | None = None
    include_direct_services: bool | None = None
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None


_match_request = msgspec.json.Decoder(MatchRequest).decode
_encode = msgspec.json.Encoder().encode


class Control(Protocol):
    """What control can be asked."""

    async def resolve(self, request: pb.ResolveRouteRequest) -> pb.ResolveRouteResponse: ...

    async def match(self, request: pb.MatchRoutesRequest) -> pb.MatchRoutesResponse: ...


def router(control: Control) -> APIRouter:
    """Return the paths under `/v1/cluster`."""
    paths = APIRouter(prefix="/v1/cluster")

    @paths.get("/routes/resolve", responses=_RESPONSES)
    async def resolve(
        model: Annotated[str, Query(min_length=1, max_length=MAX_NAME)],
        kind: Kind | None = None,
        explain: bool = False,
    ) -> Response:
        """Tell where one request for `model` would go now.

        With `explain`, also why: every service that offers the operation, with all
        that speaks for it and against it.
        """
        # Explained, always: only so a role that nobody serves is told from other names.
        answer = await control.resolve(
            pb.ResolveRouteRequest(model=model, operation=_operation(kind), explain=True)
        )
        if not (answer.candidates or answer.role_id or explain):
            raise NoHealthyRoute(f"no service can serve {shown(model)} now", retry_after=2)
        content: dict[str, Any] = {"status": "ok", "resolution": resolution(answer)}
        if explain:
            content["explanation"] = await paced(explanation(answer))
        return _json(content)

    @paths.post("/routes/match", openapi_extra=_MATCH_BODY, responses=_RESPONSES)
    async def match(request: Request) -> Response:
        """Rank roles and services for a task, best first."""
        check_content(dict(request.headers.raw))
        asked = read_match(await _body(request))
        answer = await control.match(
            pb.MatchRoutesRequest(
                task=asked.task or "",
                tasks=asked.tasks or (),
                workload=asked.workload or "",
                workloads=asked.workloads or (),
                operation=_operation(asked.kind),
                modality=asked.modality or "",
                include_direct_services=asked.include_direct_services,
                limit=None if asked.limit is None else min(asked.limit, MAX_LIMIT),
            )
        )
        found = await paced(matches(answer, asked.kind, asked.modality))
        return _json({"status": "ok", **found})

    return paths


def resolution(answer: pb.ResolveRouteResponse) -> dict[str, Any]:
    """Return where a request goes, in short: a role or not, and the service that would get it."""
    service = _service(answer)
    if not answer.role_id:
        return {"match_type": "direct", "service": service}
    operation = documents.OPERATIONS.get(answer.operation)
    found: dict[str, Any] = {
        "match_type": "role",
        "role": {"role_id": answer.model, "operation": operation},
        "service": service,
    }
    if answer.role_id != answer.model:
        found["fallback_via"] = answer.role_id
    return found


def explanation(answer: pb.ResolveRouteResponse) -> Steps[documents.Document]:
    """Return why a request goes there, with what is said of each service as JSON already."""
    found = documents.outline(answer)
    found["candidates"] = yield from _listed(documents.candidate, answer.candidates)
    found["explanations"] = yield from _listed(documents.explained, answer.explanations)
    return found


def matches(
    answer: pb.MatchRoutesResponse, kind: str | None, modality: str | None
) -> Steps[documents.Document]:
    """Return what fits, each as JSON already. kind, modality: as they were asked for."""
    found = documents.question(answer, kind, modality)
    found["candidates"] = yield from _listed(documents.match, answer.candidates)
    return found


def _listed(
    described: Callable[[M], documents.Document], messages: Iterable[M]
) -> Steps[msgspec.Raw]:
    """Return a list as JSON, made one by one: for 10,000 services that takes half a second."""
    items = []
    for one in messages:
        items.append(_encode(described(one)))
        yield
    return msgspec.Raw(b"[%b]" % b",".join(items))


def _service(answer: pb.ResolveRouteResponse) -> dict[str, Any] | None:
    if not answer.candidates:
        return None
    chosen = {one.service_id for one in answer.explanations if one.chosen}
    served = [one for one in answer.candidates if one.candidate.service_id in chosen]
    found = (served or answer.candidates)[0]
    service_id = found.candidate.service_id
    return {
        "service_id": service_id,
        "host_id": service_id.partition("/")[0],
        "kind": documents.OPERATIONS.get(answer.operation),
        "endpoint": documents.url(found.endpoint),
        "asset_id": found.candidate.asset_id,
        "score": found.candidate.score,
        "in_flight": found.in_flight,
    }


def _operation(kind: Kind | None) -> inventory.Operation | None:
    return documents.OPERATION_VALUES[kind] if kind else None


async def _body(request: Request) -> bytes:
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > MAX_BODY:
                raise BodyTooLarge(f"the body is larger than {MAX_BODY:,} bytes")
    except ClientDisconnect as error:
        raise InvalidBody("the body did not come whole") from error  # nobody reads it
    return bytes(content)


def read_match(raw: bytes) -> MatchRequest:
    """Return what a body asks for.

    Raises:
        InvalidBody: it is not one JSON object in UTF-8.
        InvalidValue: a value is of the wrong type, or out of its range.
    """
    try:
        raw.decode()  # what the decoder skips, it does not look at
        return _match_request(raw)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from error
    except RecursionError as error:
        raise InvalidBody("the body is not valid JSON: nested too deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidBody("the body is not valid JSON in UTF-8") from error


def _refusal(message: str) -> BadRequest:
    what, _, where = message.partition(" - at ")
    field = re.match(r"`\$\.(\w+)", where)
    if field is None:
        return InvalidBody("the body is not a JSON object")
    name = field[1]
    known = f"; there are {', '.join(get_args(Kind))}" if name == "kind" else ""
    return InvalidValue(f"{name!r}: {what[:1].lower()}{what[1:]}{known}", param=name)


def _json(content: dict[str, Any]) -> Response:
    return Response(_encode(content), media_type="application/json")


_SCHEMA = msgspec.json.schema(MatchRequest)["$defs"]["MatchRequest"]
_MATCH_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA}}}
}
# Without this word of errors of ours, the framework describes one of its own.
_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The question is refused; `error` says why."},
    "503": {"description": "Control does not answer, or nobody serves the model now."},
}
