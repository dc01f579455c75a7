"""`/docs`: the description of the API in a browser, from this gateway alone."""

from collections.abc import Awaitable, Callable
from functools import cache
from importlib import resources

from fastapi import APIRouter
from fastapi.responses import Response

# Nothing comes from elsewhere, and nothing that stands in a page runs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_KEPT = _HEADERS | {"cache-control": "max-age=3600"}

# Paths are relative: a proxy may serve us below another one.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>GenieHive API</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
"""
_FILES = {
    "swagger-ui.css": ("swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": ("swagger-ui-bundle.js", "text/javascript"),
    "favicon.png": ("favicon-32x32.png", "image/png"),
}


def router() -> APIRouter:
    """Return the paths of the page and its files."""
    paths = APIRouter(include_in_schema=False)

    @paths.get("/docs")
    async def page() -> Response:
        return Response(_PAGE, headers=_HEADERS, media_type="text/html")

    @paths.get("/docs/start.js")
    async def start() -> Response:
        return Response(_START, headers=_KEPT, media_type="text/javascript")

    for path, (name, kind) in _FILES.items():
        paths.add_api_route(f"/docs/{path}", _serving(name, kind))
    return paths


def _serving(name: str, kind: str) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        return Response(_file(name), headers=_KEPT, media_type=kind)

    return serve


@cache
def _file(name: str) -> bytes:
    return (resources.files("fastapi_swagger") / "resources" / name).read_bytes()
