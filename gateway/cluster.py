"""Questions about routes, as clients ask them over HTTP; control answers."""

from typing import Annotated, Any, get_args

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control.api import route_documents as documents
from control.api.errors import NoHealthyRoute
from gateway import bodies
from gateway.control_calls import ControlCalls
from gateway.listing import MAX_LIMIT, as_list, json
from gateway.request_head import check_content
from gateway.routes import shown
from gateway.steps import Steps, paced
from gateway.views import MAX_NAME, Kind

MAX_BODY = 1 << 20  # bytes
MAX_TEXTS = 100

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


def router(control: ControlCalls) -> APIRouter:
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
        return json(content)

    @paths.post("/routes/match", openapi_extra=_MATCH_BODY, responses=_RESPONSES)
    async def match(request: Request) -> Response:
        """Rank roles and services for a task, best first."""
        check_content(dict(request.headers.raw))
        asked = read_match(await bodies.read(request, MAX_BODY))
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
        return json({"status": "ok", **found})

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
    found["candidates"] = yield from as_list(documents.candidate, answer.candidates)
    found["explanations"] = yield from as_list(documents.explained, answer.explanations)
    return found


def matches(
    answer: pb.MatchRoutesResponse, kind: str | None, modality: str | None
) -> Steps[documents.Document]:
    """Return what fits, each as JSON already. kind, modality: as they were asked for."""
    found = documents.question(answer, kind, modality)
    found["candidates"] = yield from as_list(documents.match, answer.candidates)
    return found


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


def read_match(raw: bytes) -> MatchRequest:
    """Return what a body asks for. Raises as `bodies.decoded`."""
    return bodies.decoded(_match_request, raw, known={"kind": ", ".join(get_args(Kind))})


_SCHEMA = msgspec.json.schema(MatchRequest)["$defs"]["MatchRequest"]
_MATCH_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA}}}
}
# Without this word of errors of ours, the framework describes one of its own.
_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The question is refused; `error` says why."},
    "503": {"description": "Control does not answer, or nobody serves the model now."},
}
