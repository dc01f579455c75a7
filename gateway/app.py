"""What is not inference: models, health, and the description of it all."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from geniehive.v1 import inventory_pb2 as inventory
from starlette.exceptions import HTTPException

from control.api.errors import (
    AuthUnavailable,
    GenieHiveError,
    InvalidValue,
    MethodNotAllowed,
    NotFound,
    NotReady,
)
from gateway import benchmarks, cluster, docs_page, errors, keys, views
from gateway.control_calls import ControlCalls
from gateway.gateway import Gateway
from gateway.known import NOTHING, Knowledge, Known
from gateway.model_items import RouteType, line, named
from gateway.models import Models
from gateway.openapi import describing
from gateway.paths import INFERENCE
from gateway.routes import Operation, shown
from gateway.views import Kind

# Nodes that look for model servers know us by it.
OURS = {"x-geniehive-gateway": "1"}
DETAILS_SECONDS = 2.0  # that a list of models waits for what control knows


def build(gateway: Gateway, control: ControlCalls) -> FastAPI:
    """Return the app behind the door of `gateway`; `control` answers what it cannot."""
    app = FastAPI(
        title="GenieHive",
        description="One OpenAI-compatible address over the model servers of several machines.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_exception_handler(GenieHiveError, _as_answer)
    app.add_exception_handler(HTTPException, _as_answer)
    app.add_exception_handler(RequestValidationError, _as_answer)
    app.add_exception_handler(Exception, _as_answer)

    knowledge = Knowledge(control)
    listing = Models(gateway.routes)

    def principal(request: Request) -> str:
        return gateway.keys.principal(keys.presented(request.headers.raw))

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Tell that the process lives, and how old its routes are while control is away."""
        return {"status": "ok", **gateway.age()}

    @app.get("/ready")
    async def ready() -> dict[str, Any]:
        """Tell whether requests can be served, and from which route table."""
        if gateway.keys.closed:
            raise AuthUnavailable(keys.CLOSED)
        if not gateway.ready:
            why = "is stopping" if gateway.draining else "has not heard from control yet"
            raise NotReady(f"the gateway {why}")
        held = gateway.route_table.identity
        return {
            "status": "ok",
            "route_version": held.version if held is not None else None,
            "settled": gateway.route_table.settled,
            "control": "connected" if gateway.control_connected else "unreachable",
            **gateway.age(),
        }

    async def known() -> Known:
        """Return what control knows, or nothing: models are listed without it, too."""
        if not gateway.control_connected:
            return NOTHING
        try:
            return await knowledge.now(DETAILS_SECONDS)
        except GenieHiveError:
            return NOTHING

    @app.get("/v1/models")
    async def models(
        _: Annotated[str, Depends(principal)],
        route_type: RouteType | None = None,
        operation: Kind | None = None,
    ) -> Response:
        """List what can be asked for now: roles, assets and services, by id.

        What control knows of them stands below `geniehive`, and is left out while control
        is away.
        """
        if not gateway.routes.ready:
            raise NotReady("the gateway has not received routes from control yet")
        found = await listing.listed(await known(), route_type, operation)
        return Response(found, headers=OURS, media_type="application/json")

    @app.get("/v1/models/{model_id:path}")
    async def model(model_id: str, _: Annotated[str, Depends(principal)]) -> Response:
        """Tell of one model, as the list does; its id may hold slashes."""
        routes = gateway.routes
        if (item := named(routes, model_id)) is None:
            routes.services(model_id)  # says why there is none
            raise NotFound(f"nobody serves {shown(model_id)} any more")
        return Response(line(item, await known()), media_type="application/json")

    for router in (
        cluster.router(control),
        views.router(control, knowledge),
        benchmarks.router(control),
    ):
        app.include_router(router, dependencies=[Depends(principal)])
    app.include_router(docs_page.router())
    app.openapi = describing(app)  # type: ignore[method-assign]  # as FastAPI's manual has it
    for path, operation in INFERENCE.items():
        app.post(path.decode(), openapi_extra=_described(_BODIES[operation]))(_behind_the_door)
    return app


SERVED = [
    *(f"POST {path.decode()}" for path in INFERENCE),
    "GET /v1/models",
    "GET /v1/models/{id}",
    "GET /v1/cluster/routes/resolve",
    "POST /v1/cluster/routes/match",
    "GET /v1/cluster/hosts",
    "GET /v1/cluster/services",
    "GET /v1/cluster/roles",
    "GET /v1/cluster/benchmarks",
    "POST /v1/cluster/benchmarks",
    "GET /v1/cluster/health",
    "GET /v1/requests",
    "GET /v1/requests/{id}",
    "GET /metrics",
    "GET /health",
    "GET /docs",
]


async def _behind_the_door(request: Request) -> Response:
    """Answer one request of the OpenAI API; chats, where asked for, as a stream of events."""
    # The door takes the path as it is written; what gets here is spelled otherwise.
    raise NotFound(f"nothing is at {shown(request.scope['raw_path'].decode('ascii', 'replace'))}")


async def _as_answer(request: Request, error: Exception) -> Response:
    if isinstance(error, GenieHiveError):
        known = error
    elif isinstance(error, RequestValidationError):
        known = _from_validation(error)
    elif isinstance(error, HTTPException):
        known = _from_framework(request, error)
    else:
        known = GenieHiveError("the gateway has a bug; the log has more")
    headers = errors.headers(known)
    if isinstance(error, HTTPException):
        headers |= error.headers or {}  # RFC 9110, 15.5.6: a 405 says what is allowed
    return Response(errors.body(known), known.http, headers, "application/json")


def _from_framework(request: Request, error: HTTPException) -> GenieHiveError:
    path = shown(request.scope["path"])
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return MethodNotAllowed(f"{path} takes {allowed} only, not {request.method}")
    return NotFound(f"nothing is at {path}; there are {', '.join(SERVED)}")


def _from_validation(error: RequestValidationError) -> InvalidValue:
    first = error.errors()[0]
    name, what = str(first["loc"][-1]), str(first["msg"]).partition(", unable to ")[0]
    return InvalidValue(f"{name!r}: {what[:1].lower()}{what[1:]}", param=name)


def _described(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the description of a body; its first two properties are required."""
    schema = {"type": "object", "required": list(properties)[:2], "properties": properties}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


# What else stands in a body passes as it is.
_BODIES: dict[Operation, dict[str, Any]] = {
    inventory.OPERATION_CHAT: {
        "model": {"type": "string"},
        "messages": {"type": "array", "items": {"type": "object"}},
        "stream": {"type": "boolean"},
    },
    inventory.OPERATION_EMBEDDINGS: {
        "model": {"type": "string"},
        "input": {"description": "One text, or a list of texts or of lists of tokens."},
        "dimensions": {"type": "integer"},
        "encoding_format": {"type": "string", "enum": ["float", "base64"]},
    },
}
