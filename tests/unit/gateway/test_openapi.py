"""The description of the API: every path with its parameters, answers, errors and keys."""

import re

import httpx
import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import inventory_pb2 as inventory

from control.api import cluster_documents as documents
from control.api.errors import family
from gateway import requests
from gateway.app import SERVED, build
from gateway.config import Config
from gateway.gateway import Gateway
from gateway.openapi import answers
from gateway.scrape import Scrape, router
from tests.integration.gateway.front import front

pytestmark = pytest.mark.anyio


@pytest.fixture
async def described():
    gateway = Gateway(Config())
    app = build(gateway, None)
    app.include_router(router(gateway, Scrape(gateway)))
    app.include_router(requests.router(gateway, list))
    return app.openapi()


def operations(described):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


async def test_each_path_tells_what_it_answers(described):
    for method, path, operation in operations(described):
        assert operation["description"], path
        (content, *_) = operation["responses"]["200"]["content"].values()
        assert content["schema"], (method, path)
        assert (method, path) in answers()
    assert set(answers()) == {(method, path) for method, path, _ in operations(described)}


async def test_what_needs_a_key_says_so(described):
    for _, path, operation in operations(described):
        keyed = operation.get("security") == [{"bearer": []}, {"key": []}]
        assert keyed is path.startswith(("/v1/", "/metrics")), path
        # Two different keys are 400.
        assert ({"400", "401", "403", "503"} <= set(operation["responses"])) is keyed, path


async def test_what_is_said_to_need_a_key_does(described):
    async with front("protocol") as serving, httpx.AsyncClient(trust_env=False) as http:
        serving.allow("k1")
        for method, path, operation in operations(described):
            answer = await http.request(method, serving.url + path, json={})
            assert (answer.status_code == 401) is ("security" in operation), path


async def test_every_refusal_is_one_that_is_described(described):
    refusals = described["components"]["responses"]
    for _, _, operation in operations(described):
        for status, answer in operation["responses"].items():
            if status != "200":
                assert answer == {"$ref": f"#/components/responses/{status}"}
                assert status in refusals
    codes = described["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]
    assert set(codes["enum"]) == {one.code for one in family()}


async def test_what_the_gateway_names_is_described(described):
    known = {
        re.sub(r"{\w+}", "{id}", f"{method.upper()} {path}")
        for method, path, _ in operations(described)
    }
    assert set(SERVED) - known == {"GET /docs"}  # the page describes itself


async def test_metrics_are_text(described):
    (kind,) = described["paths"]["/metrics"]["get"]["responses"]["200"]["content"]

    assert kind == "text/plain"


async def test_parameters_have_their_bounds(described):
    parameters = {
        one["name"]: one["schema"]
        for one in described["paths"]["/v1/cluster/services"]["get"]["parameters"]
    }

    assert set(parameters) == {"limit", "page_token", "host_id", "operation", "routable"}
    bounds = parameters["limit"]["anyOf"][0]
    assert (bounds["minimum"], bounds["maximum"]) == (1, 1_000)
    answer = described["paths"]["/v1/cluster/services"]["get"]["responses"]["200"]
    assert {"x-request-id", "x-next-page-token", "link"} == set(answer["headers"])


async def test_how_a_request_may_be_made_and_was_served_is_described(described):
    asked = described["paths"]["/v1/embeddings"]["post"]
    priority = next(one for one in asked["parameters"] if one["name"] == "X-GenieHive-Priority")

    assert priority["schema"]["enum"] == ["low", "normal", "high"]
    assert {one["in"] for one in asked["parameters"]} == {"header"}
    assert not any(one["required"] for one in asked["parameters"])
    listed = described["paths"]["/v1/models"]["get"]
    told, models = (set(one["responses"]["200"]["headers"]) for one in (asked, listed))
    assert told - models >= {"x-geniehive-queue-position", "x-geniehive-queue-ms"}


async def test_what_nobody_knows_may_be_null(described):
    schema = described["paths"]["/v1/cluster/services/{service_id}"]["get"]["responses"]["200"]
    properties = schema["content"]["application/json"]["schema"]["properties"]

    assert properties["kind"]["type"] == ["string", "null"]
    assert properties["observed"]["properties"]["p50_latency_ms"]["type"] == ["number", "null"]
    assert set(properties) == set(documents.service(pb.ServiceStatus(service=inventory.Service())))


async def test_bodies_are_described_with_what_they_need(described):
    body = described["paths"]["/v1/cluster/benchmarks"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    sample = schema["properties"]["samples"]["items"]

    assert set(sample["required"]) == {"service_id", "workload", "observed_at", "results"}
