"""What clients see of the cluster over HTTP: the shapes that they know, filters and pages."""

from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory

from control.api.errors import NotFound
from gateway.app import build
from gateway.config import Config
from gateway.gateway import Gateway
from gateway.keys import Settings
from tests.unit.gateway.stub_control import (
    AWAY,
    StubControl,
    told_asset,
    told_host,
    told_role,
    told_service,
)

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def client_of(control, *, required=False):
    gateway = Gateway(Config())
    gateway.routes.ready = True
    gateway.keys.replace({"settings": Settings(required, bytes(32))})
    transport = httpx.ASGITransport(build(gateway, control))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


def some(count=250):
    return StubControl(
        hosts=[told_host("h"), told_host("i")],
        services=[told_service(f"h/s{n:03}", told_asset("m")) for n in range(count)],
        roles=[told_role("mentor")],
        samples=[pb.HealthSample(sample_id="hs_1", service_id="h/s000")],
    )


@pytest.mark.parametrize(
    ("path", "key", "first", "count"),
    [
        ("hosts", "host_id", "h", 2),
        ("services", "service_id", "h/s000", 250),
        ("services?routable=true", "service_id", "h/s000", 250),
        ("roles", "role_id", "mentor", 1),
        ("roles?operation=chat", "role_id", "mentor", 1),
        ("health/samples?service_id=h/s000", "sample_id", "hs_1", 1),
    ],
)
async def test_a_list_is_whole_without_a_limit(path, key, first, count):
    async with client_of(some()) as client:
        answer = await client.get(f"/v1/cluster/{path}")

    assert answer.status_code == 200, answer.text
    assert answer.json()[0][key] == first
    assert len(answer.json()) == count
    assert "x-next-page-token" not in answer.headers


async def test_with_a_limit_each_page_leads_to_the_next():
    found, url = [], "/v1/cluster/services?limit=100&host_id=h"
    control = some()
    async with client_of(control) as client:
        while url:
            answer = await client.get(url)
            found += [one["service_id"] for one in answer.json()]
            url = answer.links["next"]["url"] if "next" in answer.links else None
            if url is not None:
                query = parse_qs(urlsplit(url).query)
                assert query["page_token"] == [answer.headers["x-next-page-token"]]
                assert query["host_id"] == ["h"]

    assert found == [f"h/s{n:03}" for n in range(250)]
    assert len(control.asked) == 3


@pytest.mark.parametrize(
    ("path", "field", "asked"),
    [
        ("hosts?state=lost", "state", inventory.HOST_STATE_LOST),
        ("services?host_id=h", "host_id", "h"),
        ("services?operation=embeddings", "operation", inventory.OPERATION_EMBEDDINGS),
        ("services?routable=false", "routable", False),
        ("roles?operation=transcription", "operation", inventory.OPERATION_TRANSCRIPTION),
        ("benchmarks?workload=chat.w", "workload", "chat.w"),
        ("benchmarks?service_id=h%2Fs", "service_id", "h/s"),
        ("benchmarks?asset_id=m", "asset_id", "m"),
        ("benchmarks?page_token=0", "page_token", "0"),
        ("services?limit=7", "page_size", 7),
    ],
)
async def test_filters_are_controls_business(path, field, asked):
    control = some(3)
    async with client_of(control) as client:
        answer = await client.get(f"/v1/cluster/{path}")

    assert answer.status_code == 200, answer.text
    assert getattr(control.asked[0], field) == asked


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "9" * 400, "ten", "1.5", "", "NaN"])
async def test_a_limit_that_is_none_is_told_so(limit):
    control = some(3)
    async with client_of(control) as client:
        answer = await client.get("/v1/cluster/services", params={"limit": limit})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_value", "limit")
    assert len(error["message"]) < 200
    assert not control.asked


@pytest.mark.parametrize("path", ["services?operation=chats", "hosts?state=up", "health/samples"])
async def test_a_filter_that_is_none_is_told_so(path):
    async with client_of(some(3)) as client:
        answer = await client.get(f"/v1/cluster/{path}")

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] in ("operation", "state", "service_id")


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("hosts/h", "host_id", "h"),
        ("hosts/h/inventory", "host_id", "h"),
        ("services/h/s000", "service_id", "h/s000"),
        ("roles/mentor", "role_id", "mentor"),
        ("health", "stale_host_count", 1),
    ],
)
async def test_one_thing_is_told_alone(path, field, value):
    async with client_of(some(3)) as client:
        answer = await client.get(f"/v1/cluster/{path}")

    assert answer.status_code == 200, answer.text
    assert answer.json()[field] == value


async def test_an_inventory_holds_the_services_of_its_host():
    async with client_of(some(3)) as client:
        told = (await client.get("/v1/cluster/hosts/h/inventory")).json()

    assert [one["service_id"] for one in told["services"]] == ["h/s000", "h/s001", "h/s002"]
    assert {"report_at", "report_age_s"} <= told.keys()


PATHS = [
    "hosts",
    "hosts/h",
    "hosts/h/inventory",
    "services",
    "services?limit=1",
    "services/h/s",
    "roles",
    "roles/r",
    "benchmarks",
    "health",
    "health/samples?service_id=h/s",
]


@pytest.mark.parametrize("path", PATHS)
async def test_without_control_nothing_is_told(path):
    control = some(3)
    control.refusal = AWAY
    async with client_of(control) as client:
        answer = await client.get(f"/v1/cluster/{path}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "control_unavailable")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_sees_anything_without_a_key(path):
    control = some(3)
    async with client_of(control, required=True) as client:
        answer = await client.get(f"/v1/cluster/{path}")

    assert answer.status_code == 401
    assert not control.asked


async def test_what_control_does_not_know_is_not_found():
    control = some(3)
    control.refusal = NotFound("host 'x' is not registered")
    async with client_of(control) as client:
        answer = await client.get("/v1/cluster/hosts/x")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
