"""What one would write in an afternoon: FastAPI in front, httpx behind. For comparison only.

`python -m bench.plain PORT ENGINE_URL`
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse


def build(engine: str) -> FastAPI:
    """Return an application that hands every chat on to `engine`."""
    client = httpx.AsyncClient(
        base_url=engine, timeout=None, limits=httpx.Limits(max_connections=None)
    )

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    app = FastAPI(lifespan=life)

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(request: Request) -> Response:
        body = await request.json()
        asked = client.build_request("POST", "/v1/chat/completions", json=body)
        answer = await client.send(asked, stream=True)
        kind = answer.headers["content-type"]
        if body.get("stream"):
            return StreamingResponse(_bytes(answer), answer.status_code, media_type=kind)
        content = await answer.aread()
        return Response(content, answer.status_code, media_type=kind)

    return app


async def _bytes(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


if __name__ == "__main__":
    uvicorn.run(build(sys.argv[2]), port=int(sys.argv[1]), log_level="error", access_log=False)
