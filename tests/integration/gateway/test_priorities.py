"""What clients may ask for with `X-GenieHive-Priority`, behind either door."""

import pytest
from geniehive.v1 import routing_service_pb2 as pb

from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front, request

pytestmark = pytest.mark.anyio

ASK = {"model": "small"}
NAME = "X-GenieHive-Priority"


@pytest.mark.parametrize("value", ["urgent", "", "HIGH", "3", "low, high", "high" * 2_500])
async def test_what_is_no_priority_is_refused(front: Front, engine: Engine, value: str):
    response = await front.post(ASK, x_geniehive_priority=value)
    error = response.json()["error"]

    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_value", NAME)
    assert error["message"] == f"{NAME} must be one of low, normal, high, and once"
    assert not engine.requests


@pytest.mark.parametrize(
    "value", [b"hoch\xff", b"\xe2\x80\x9chigh\xe2\x80\x9d", b"high\r\nX-GenieHive-Priority: low"]
)
async def test_what_no_client_of_http_would_send_is_refused(
    front: Front, engine: Engine, value: bytes
):
    asked = request(b'{"model":"small"}', f"{NAME}: VALUE", "Connection: close")
    answer = await front.raw(asked.replace(b"VALUE", value))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"invalid_value"' in answer
    assert not engine.requests


@pytest.mark.parametrize("value", ["low", "normal", "high"])
async def test_a_priority_is_for_the_gateway_alone(front: Front, engine: Engine, value: str):
    assert (await front.post(ASK, x_geniehive_priority=value)).status_code == 200

    assert (await engine.request()).header("x-geniehive-priority") is None


async def test_more_than_a_key_may_have_is_refused(front: Front, engine: Engine):
    front.allow("sk-a", highest=pb.PRIORITY_NORMAL)
    refused = await front.post(ASK, x_api_key="sk-a", x_geniehive_priority="high")
    error = refused.json()["error"]

    assert (refused.status_code, error["code"]) == (403, "operation_not_allowed")
    assert error["param"] == NAME
    assert error["message"].endswith(" may ask for: at most normal")
    assert not engine.requests
    # Who may not enter at all is told that, and nothing of priorities.
    stranger = await front.post(ASK, x_api_key="sk-c", x_geniehive_priority="urgent")
    assert stranger.status_code == 401
    good = await front.post(ASK, x_api_key="sk-a", x_geniehive_priority="normal")
    assert good.status_code == 200
