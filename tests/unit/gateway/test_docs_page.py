"""The page that shows the API: all of it comes from the gateway itself."""

import httpx
import pytest

from gateway.app import build
from gateway.config import Config
from gateway.gateway import Gateway

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client():
    transport = httpx.ASGITransport(build(Gateway(Config()), None))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


async def test_the_page_needs_nothing_from_elsewhere(client):
    page = await client.get("/docs")

    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "://" not in page.text
    assert "<style" not in page.text
    for path, kind in (
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("start.js", "text/javascript"),
        ("favicon.png", "image/png"),
    ):
        assert f"docs/{path}" in page.text
        answer = await client.get(f"/docs/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
