"""What is not inference: models, health, and the description of it all."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control.api.errors import GenieHiveError, MethodNotAllowed, NotFound, NotReady
from gateway import errors, keys
from gateway.gateway import Gateway
from gateway.paths import INFERENCE
from gateway.routes import shown


def build(gateway: Gateway) -> FastAPI:
    """Return the app behind the door of `gateway`."""
    app = FastAPI(
        title="GenieHive",
        description="One OpenAI-compatible address over the model servers of several machines.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_exception_handler(GenieHiveError, _as_answer)
    app.add_exception_handler(HTTPException, _as_answer)
    app.add_exception_handler(Exception, _as_answer)

    def principal(request: Request) -> str:
        return gateway.keys.principal(keys.presented(request.headers.raw))

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Tell that the process lives."""
        return {"status": "ok"}

    @app.get("/ready")
    async def ready() -> dict[str, Any]:
        """Tell whether requests can be served, and from which route table."""
        if not gateway.ready:
            why = "is stopping" if gateway.draining else "has not heard from control yet"
            raise NotReady(f"the gateway {why}")
        held = gateway.route_table.identity
        return {
            "status": "ok",
            "routes": held.version if held is not None else 0,
            "settled": gateway.route_table.settled,
            "control": "connected" if gateway.control_connected else "unreachable",
        }

    @app.get("/v1/models")
    async def models(_: Annotated[str, Depends(principal)]) -> dict[str, Any]:
        """List what can be asked for now."""
        if not gateway.routes.ready:
            raise NotReady("the gateway has not received routes from control yet")
        data = [
            {
                "id": name,
                "object": "model",
                "created": 0,
                "owned_by": services[0].partition("/")[0],
                "geniehive": {"route_type": "asset", "services": services},
            }
            for name, services in sorted(gateway.routes.models().items())
        ]
        return {"object": "list", "data": data}

    app.add_middleware(_Named, gateway=gateway)
    for path in INFERENCE:
        app.post(path.decode(), openapi_extra=_INFERENCE_SCHEMA)(_behind_the_door)
    return app


SERVED = [*(f"POST {path.decode()}" for path in INFERENCE), "GET /v1/models", "GET /health"]


class _Named:
    """Gives every answer of the app a request id."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = (b"x-request-id", self._gateway.next_request_id())

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), name]
            await send(message)

        await self._app(scope, receive, named)


async def _behind_the_door(request: Request) -> Response:
    """Answer one request of the OpenAI API, whole or as a stream of events."""
    # The door takes the path as it is written; what gets here is spelled otherwise.
    raise NotFound(f"nothing is at {shown(request.scope['raw_path'].decode('ascii', 'replace'))}")


async def _as_answer(request: Request, error: Exception) -> Response:
    if isinstance(error, GenieHiveError):
        known = error
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


_INFERENCE_SCHEMA = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model", "messages"],
                    "properties": {
                        "model": {"type": "string"},
                        "messages": {"type": "array", "items": {"type": "object"}},
                        "stream": {"type": "boolean"},
                    },
                }
            }
        },
    }
}
