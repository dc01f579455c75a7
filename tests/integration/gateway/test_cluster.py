"""Questions about routes over HTTP: what control is asked, and what becomes of its answer."""

import json

import httpx
import msgspec
import pytest
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control.api import route_documents
from control.api.errors import ControlUnavailable, ModelNotFound, RateLimited
from gateway import cluster
from tests.integration.gateway.front import Front, request
from tests.steps import counted

pytestmark = pytest.mark.anyio

RESOLVE = "/v1/cluster/routes/resolve"
MATCH = "/v1/cluster/routes/match"
CHAT = inventory.OPERATION_CHAT
ENDPOINT = inventory.Endpoint(scheme="http", address="10.0.0.5:11434", base_path="/x")


def resolved(model="mentor", role_id="mentor", services=("a/s", "b/s"), chosen="b/s"):
    return pb.ResolveRouteResponse(
        model=model,
        operation=CHAT,
        role_id=role_id,
        strategy=pb.STRATEGY_LEAST_LOADED,
        fallback_roles=["helper"],
        table=pb.TableIdentity(store_id="s", incarnation="i", version=812),
        candidates=[
            pb.ResolvedCandidate(
                candidate=pb.Candidate(service_id=one, asset_id="m", score=0.5, policy_id=255),
                endpoint=ENDPOINT,
                in_flight=3,
            )
            for one in services
        ],
        explanations=[
            pb.Explanation(
                service_id=one,
                asset_id="m",
                gates=[pb.Gate(name="health", passed=True, detail="healthy")],
                terms=[pb.ScoreTerm(name="runtime", weight=0.45, value=0.5, detail="loaded")],
                score=0.5,
                in_flight=3,
                chosen=one == chosen,
            )
            for one in services
        ],
    )


async def get(front: Front, **parameters) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        return await client.get(front.url + RESOLVE, params=parameters)


async def post(front: Front, body, **headers: str) -> httpx.Response:
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    if isinstance(body, bytes):
        headers = {"content-type": "application/json"} | headers
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        return await client.post(front.url + MATCH, headers=headers, **content)


def refusal(answer: httpx.Response):
    error = answer.json()["error"]
    assert answer.headers["x-request-id"].startswith("req_")
    assert error["message"].isprintable()
    return answer.status_code, error["code"], error["param"]


async def test_a_role_is_resolved_to_the_service_that_would_get_the_request(front: Front):
    front.control.answer = resolved()
    answer = await get(front, model="mentor", kind="chat")

    assert front.control.asked == [
        pb.ResolveRouteRequest(model="mentor", operation=CHAT, explain=True)
    ]
    assert answer.json() == {
        "status": "ok",
        "resolution": {
            "match_type": "role",
            "role": {"role_id": "mentor", "operation": "chat"},
            "service": {
                "service_id": "b/s",
                "host_id": "b",
                "kind": "chat",
                "endpoint": "http://10.0.0.5:11434/x",
                "asset_id": "m",
                "score": 0.5,
                "in_flight": 3,
            },
        },
    }


async def test_a_fallback_that_serves_is_named(front: Front):
    front.control.answer = resolved(role_id="helper")
    found = (await get(front, model="mentor")).json()["resolution"]

    assert found["role"]["role_id"] == "mentor"
    assert found["fallback_via"] == "helper"


async def test_a_role_that_nobody_serves_is_told_without_a_service(front: Front):
    front.control.answer = resolved(services=())
    answer = await get(front, model="mentor")

    assert answer.status_code == 200
    assert answer.json()["resolution"]["service"] is None


async def test_a_model_that_nobody_serves_is_503_unless_it_is_explained(front: Front):
    front.control.answer = resolved("m", "", services=())
    answer = await get(front, model="m")

    assert refusal(answer) == (503, "no_healthy_route", None)
    assert answer.headers["retry-after"] == "2"
    explained = (await get(front, model="m", explain="1")).json()
    assert explained["resolution"] == {"match_type": "direct", "service": None}


async def test_an_explanation_is_all_that_control_says(front: Front):
    front.control.answer = resolved()
    told = (await get(front, model="mentor", explain="1")).json()["explanation"]

    assert told["strategy"] == "least_loaded"
    assert told["table"]["version"] == 812
    assert told["candidates"][0]["policy_id"] == "00000000000000ff"
    assert told["explanations"][1] == {
        "service_id": "b/s",
        "asset_id": "m",
        "chosen": True,
        "score": 0.5,
        "tier": 0,
        "ejection": None,
        "expected": None,
        "gates": [{"name": "health", "passed": True, "detail": "healthy"}],
        "terms": [{"name": "runtime", "weight": 0.45, "value": 0.5, "detail": "loaded"}],
        "preferences": [],
        "in_flight": 3,
        "queue_depth": 0,
        "waiting": 0,
        "live_penalty": 0.0,
    }


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({}, "model"),
        ({"model": ""}, "model"),
        ({"model": "x" * 201}, "model"),
        ({"model": "m", "kind": "chatt"}, "kind"),
        ({"model": "m", "kind": ""}, "kind"),
        ({"model": "m", "explain": "maybe"}, "explain"),
    ],
    ids=str,
)
async def test_a_question_with_a_wrong_parameter_is_refused(front: Front, parameters, param: str):
    answer = await get(front, **parameters)
    assert refusal(answer) == (400, "invalid_value", param)
    assert "unable to" not in answer.text  # how it was read is nothing to tell
    assert not front.control.asked


async def test_what_control_refuses_is_refused_alike(front: Front):
    front.control.answer = ModelNotFound("no model 'x\\ny'")
    assert refusal(await get(front, model="x\ny")) == (404, "model_not_found", None)
    front.control.answer = RateLimited("too much at once")
    assert refusal(await post(front, {})) == (429, "rate_limited", None)
    front.control.answer = ControlUnavailable("control does not answer now")
    answer = await post(front, {})
    assert refusal(answer) == (503, "control_unavailable", None)
    assert answer.headers["retry-after"] == "1"


async def test_a_key_is_needed_as_for_models(front: Front):
    front.allow("secret")
    assert refusal(await get(front, model="m"))[:2] == (401, "invalid_api_key")
    assert refusal(await post(front, b"not even JSON"))[:2] == (401, "invalid_api_key")
    assert not front.control.asked

    front.control.answer = pb.MatchRoutesResponse()
    assert (await post(front, {}, authorization="Bearer secret")).status_code == 200


async def test_a_match_carries_all_that_is_asked(front: Front):
    front.control.answer = pb.MatchRoutesResponse()
    await post(
        front,
        {
            "task": "a",
            "tasks": ["b"],
            "workload": "c",
            "workloads": ["d"],
            "kind": "embeddings",
            "modality": "text",
            "include_direct_services": False,
            "limit": 10**30,
            "unknown": {},
        },
    )

    assert front.control.asked == [
        pb.MatchRoutesRequest(
            task="a",
            tasks=["b"],
            workload="c",
            workloads=["d"],
            operation=inventory.OPERATION_EMBEDDINGS,
            modality="text",
            include_direct_services=False,
            limit=1_000,
        )
    ]


async def test_what_is_not_said_is_left_to_control(front: Front):
    front.control.answer = pb.MatchRoutesResponse()
    await post(front, {"task": None, "tasks": None, "limit": None, "kind": None})

    assert front.control.asked == [pb.MatchRoutesRequest()]


async def test_matches_have_the_shape_that_clients_know(front: Front):
    role = pb.RouteMatch(
        role_id="mentor",
        operation=CHAT,
        score=0.6838,
        reasons=["the task is in its text"],
        service_id="a/s",
        asset_id="m",
        signals=pb.MatchSignals(
            task_overlap=0.5,
            preferred_family_match=1,
            loaded=True,
            latency_p50={"nanos": 900_500_000},
            tokens_per_second=40,
            queue_depth=0,
            availability=inventory.AVAILABILITY_BUSY,
            benchmark_match_count=2,
            best_workload_overlap=1,
        ),
    )
    idle = pb.RouteMatch(role_id="idle", operation=CHAT)
    direct = pb.RouteMatch(direct_service_id="a/s", operation=CHAT, asset_id="m")
    front.control.answer = pb.MatchRoutesResponse(
        candidates=[role, idle, direct], tasks=["x", "y"], workloads=["w"]
    )
    told = (await post(front, {"task": "x", "kind": "chat"})).json()

    first, second, third = told.pop("candidates")
    assert told == {
        "status": "ok",
        "task_count": 2,
        "tasks": ["x", "y"],
        "workloads": ["w"],
        "kind": "chat",
        "modality": None,
    }
    assert first == {
        "candidate_type": "role",
        "candidate_id": "mentor",
        "operation": "chat",
        "score": 0.6838,
        "reasons": ["the task is in its text"],
        "signals": {
            "task_overlap": 0.5,
            "preferred_family_match": 1.0,
            "guardrail_profile_match": None,
            "loaded": True,
            "p50_latency_ms": 900.5,
            "tokens_per_sec": 40.0,
            "queue_depth": 0,
            "loaded_model_count": None,
            "availability": "busy",
            "benchmark_match_count": 2,
            "best_workload_overlap": 1.0,
            "benchmark_quality_score": None,
            "benchmark_age_s": None,
            "benchmark_replaced_count": 0,
        },
        "terms": [],
        "role": {"role_id": "mentor"},
        "service": {"service_id": "a/s", "host_id": "a", "asset_id": "m"},
    }
    assert second["service"] is None
    assert (third["candidate_type"], third["candidate_id"]) == ("service", "a/s")
    assert third["role"] is None
    assert third["service"]["service_id"] == "a/s"
    assert "preferred_family_match" not in third["signals"]


# What is sent; code and param of the answer.
REFUSED = {
    "nothing": (b"", "invalid_body", None),
    "no object": (b"[]", "invalid_body", None),
    "cut short": (b'{"task":', "invalid_body", None),
    "not UTF-8": (b'{"x":"\xff"}', "invalid_body", None),
    "half a character": (b'{"task":"\\ud800"}', "invalid_body", None),
    "100,000 deep": (b'{"x":' * 100_000, "invalid_body", None),
    "a task that is a list": (b'{"task":["x"]}', "invalid_value", "task"),
    "tasks that are a text": (b'{"tasks":"x"}', "invalid_value", "tasks"),
    "a task that is a number": (b'{"tasks":["x",1]}', "invalid_value", "tasks"),
    "101 tasks": (json.dumps({"tasks": ["x"] * 101}).encode(), "invalid_value", "tasks"),
    "a kind of the future": (b'{"kind":"video"}', "invalid_value", "kind"),
    "limit 0": (b'{"limit":0}', "invalid_value", "limit"),
    "limit -1": (b'{"limit":-1}', "invalid_value", "limit"),
    "limit 1.5": (b'{"limit":1.5}', "invalid_value", "limit"),
    "limit NaN": (b'{"limit":NaN}', "invalid_body", None),
    "limit 1e999": (b'{"limit":1e999}', "invalid_value", "limit"),
    "limit true": (b'{"limit":true}', "invalid_value", "limit"),
    "services that are a text": (
        b'{"include_direct_services":"no"}',
        "invalid_value",
        "include_direct_services",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_bad_body_is_refused_before_control_is_asked(front: Front, name: str):
    body, code, param = REFUSED[name]

    assert refusal(await post(front, body)) == (400, code, param)
    assert not front.control.asked


async def test_a_body_that_is_too_large_is_refused(front: Front):
    body = b'{"x":"' + b"x" * (1 << 20) + b'"}'

    assert refusal(await post(front, body)) == (413, "body_too_large", None)


@pytest.mark.parametrize("content_type", ["text/plain", "application/json; charset=utf-16"])
async def test_only_json_is_read(front: Front, content_type: str):
    told = await post(front, b"{}", **{"content-type": content_type})

    assert refusal(told) == (415, "unsupported_media_type", None)


@pytest.mark.parametrize(
    ("line", "status"), [(f"POST {RESOLVE}", 405), (f"GET {MATCH}", 405), (f"GET {MATCH}/x", 404)]
)
async def test_another_method_or_path_is_told_in_the_same_shape(front: Front, line, status: int):
    wire = request(b"{}", "Connection: close").partition(b"\r\n")[2]
    answer = await front.raw(f"{line} HTTP/1.1\r\n".encode() + wire)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b'"error"' in answer


async def test_both_are_described(front: Front):
    async with httpx.AsyncClient(trust_env=False) as client:
        paths = (await client.get(f"{front.url}/openapi.json")).json()["paths"]
    parameters = {one["name"]: one for one in paths[RESOLVE]["get"]["parameters"]}
    body = paths[MATCH]["post"]["requestBody"]["content"]["application/json"]["schema"]

    assert parameters["model"]["required"]
    assert set(parameters) == {"model", "kind", "explain"}
    assert {"task", "tasks", "kind", "limit"} < set(body["properties"])
    assert "422" not in paths[RESOLVE]["get"]["responses"]


async def test_what_is_said_of_thousands_of_services_is_written_in_steps():
    """Other requests are served in between; and it is what the command writes."""
    many = [f"h/{number}" for number in range(1_000)]
    answer = resolved(services=many)
    fitting = pb.MatchRoutesResponse(candidates=[pb.RouteMatch(role_id=one) for one in many])

    explained, taken = counted(cluster.explanation(answer))
    assert taken == 2 * len(many)
    assert json.loads(msgspec.json.encode(explained)) == route_documents.explanation(answer)
    matched, taken = counted(cluster.matches(fitting, "chat", None))
    assert taken == len(many)
    assert json.loads(msgspec.json.encode(matched)) == route_documents.matches(
        fitting, "chat", None
    )


@pytest.mark.parametrize("times", [2, 3])
async def test_who_sends_too_much_reads_why(front, times):
    """Behind a body that is still being sent the answer would be lost with the connection."""
    body = b" " * (times * cluster.MAX_BODY)
    told = await front.raw(request(body, "Connection: close", path="/v1/cluster/routes/match"))

    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in told
