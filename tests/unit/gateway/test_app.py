"""What a balancer is told in front of a gateway."""

import httpx
import pytest

from gateway.app import build
from gateway.config import Config
from gateway.gateway import Gateway
from gateway.keys import Settings

pytestmark = pytest.mark.anyio


async def ready(gateway):
    """Return the status and the code or state that `/ready` answers with."""
    transport = httpx.ASGITransport(build(gateway, None))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.get("/ready")
    told = answer.json()
    return answer.status_code, told["error"]["code"] if "error" in told else told["status"]


def informed(listen, *, required, insecure=False):
    """Return a gateway that has routes, and knows whether keys are required."""
    gateway = Gateway(Config(listen=listen), insecure=insecure)
    gateway.routes.ready = True
    gateway.keys.replace({"settings": Settings(required, bytes(32))})
    return gateway


@pytest.mark.parametrize(
    ("listen", "required", "insecure"),
    [
        ("127.0.0.1:8800", False, False),
        ("0.0.0.0:8800", True, False),
        ("0.0.0.0:8800", False, True),
    ],
    ids=["loopback", "keys", "insecure"],
)
async def test_ready_is_who_can_serve(listen, required, insecure):
    gateway = informed(listen, required=required, insecure=insecure)

    assert await ready(gateway) == (200, "ok")
    gateway.draining = True
    assert await ready(gateway) == (503, "not_ready")


async def test_a_gateway_that_lets_nobody_in_is_not_ready():
    assert await ready(informed("0.0.0.0:8800", required=False)) == (503, "auth_unavailable")
