"""The description of the API, complete: answers, errors and keys, beside what FastAPI tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from geniehive.v1 import benchmark_service_pb2 as benchmark
from geniehive.v1 import discovery_service_pb2 as discovery
from geniehive.v1 import inventory_pb2 as inventory

from control.api import cluster_documents as documents
from control.api import evidence_documents
from control.api.errors import GenieHiveError, family
from control.api.priorities import WORDS
from gateway import errors, examples, requests
from gateway.paths import INFERENCE
from gateway.schema import Schema, schema_of

JSON, TEXT = "application/json", "text/plain"
_KEYED = ("/v1/", "/metrics")  # what begins so needs a key

_ASKED = ("400", "401", "403", "503")
_NAMED = (*_ASKED, "404")
_BODIES = (*_ASKED, "408", "413", "415")
_INFERENCE = (*_BODIES, "404", "414", "429", "431", "502", "504")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers. rare: what one may say where nothing is known of it."""

    example: Any
    rare: Any
    errors: tuple[str, ...]


def answers() -> Mapping[tuple[str, str], Answer]:
    """Return what is answered, by method and path."""
    host = documents.host(examples.HOST), documents.host(inventory.Host())
    service = documents.service(examples.STATUS), documents.service(discovery.ServiceStatus())
    role = documents.role(examples.ROLE), documents.role(discovery.RoleStatus())
    inventories = (
        documents.host_inventory(examples.INVENTORY),
        documents.host_inventory(discovery.GetHostInventoryResponse()),
    )
    sample = (
        evidence_documents.health_sample(examples.SAMPLE),
        evidence_documents.health_sample(discovery.HealthSample()),
    )
    run = (
        evidence_documents.benchmark(examples.BENCHMARK),
        evidence_documents.benchmark(benchmark.BenchmarkSample()),
    )
    health = (
        documents.health(examples.HEALTH),
        documents.health(discovery.GetClusterHealthResponse()),
    )
    asked = requests.document(examples.REQUEST), requests.document(examples.BEGUN)
    all_asked = requests.documents([examples.REQUEST, examples.BEGUN])
    models = examples.models()
    listed = {"object": "list", "data": models}
    return {
        ("get", "/v1/models"): Answer(listed, listed, _ASKED),
        ("get", "/v1/models/{model_id}"): Answer(models[1], models[0], _NAMED),
        ("get", "/v1/cluster/hosts"): Answer([host[0]], [host[1]], _ASKED),
        ("get", "/v1/cluster/hosts/{host_id}"): Answer(*host, _NAMED),
        ("get", "/v1/cluster/hosts/{host_id}/inventory"): Answer(*inventories, _NAMED),
        ("get", "/v1/cluster/services"): Answer([service[0]], [service[1]], _ASKED),
        ("get", "/v1/cluster/services/{service_id}"): Answer(*service, _NAMED),
        ("get", "/v1/cluster/roles"): Answer([role[0]], [role[1]], _ASKED),
        ("get", "/v1/cluster/roles/{role_id}"): Answer(*role, _NAMED),
        ("get", "/v1/cluster/health"): Answer(*health, _ASKED),
        ("get", "/v1/cluster/health/samples"): Answer([sample[0]], [sample[1]], _NAMED),
        ("get", "/v1/cluster/benchmarks"): Answer([run[0]], [run[1]], _ASKED),
        ("post", "/v1/cluster/benchmarks"): Answer(
            examples.ingested(), examples.ingested(), _BODIES
        ),
        ("get", "/v1/cluster/routes/resolve"): Answer(
            examples.resolved(), examples.resolved(), (*_NAMED, "429")
        ),
        ("post", "/v1/cluster/routes/match"): Answer(
            examples.matched(), examples.matched(), (*_BODIES, "429")
        ),
        ("post", "/v1/chat/completions"): Answer(_COMPLETION, _COMPLETION, _INFERENCE),
        ("post", "/v1/embeddings"): Answer(_EMBEDDINGS, _EMBEDDINGS, _INFERENCE),
        ("get", "/v1/requests"): Answer(all_asked, all_asked, _ASKED),
        ("get", "/v1/requests/{request_id}"): Answer(*asked, _NAMED),
        ("get", "/health"): Answer({"status": "ok"}, {"status": "ok"}, ()),
        ("get", "/ready"): Answer(_READY, _READY, ("503",)),
        ("get", "/metrics"): Answer(_METRICS, _METRICS, _ASKED),
    }


_COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_775_583_000,
    "model": "Qwen3-8B-Q4_K_M",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}
_EMBEDDINGS = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.2]}],
    "model": "minilm",
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
_METRICS = "geniehive_gateway_workers 1.0\n"
_READY = {"status": "ok", "route_version": 812, "settled": True, "control": "connected"}

_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A client key, as OpenAI clients send it; none where none is configured.",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "The same key, where `Authorization` is taken.",
    },
}
_REQUEST_ID = {
    "x-request-id": {
        "description": "Names this request, here and in the logs; always ours.",
        "schema": {"type": "string"},
    }
}
_SERVED = {
    f"x-geniehive-{name}": {"description": told, "schema": {"type": kind}}
    for name, kind, told in (
        ("service", "string", "Who answered."),
        ("attempts", "integer", "How many services were asked."),
        ("overhead-ms", "number", "What passed until the last was asked, without waiting."),
        ("queue-position", "integer", "Its place when it began to wait; missing if it did not."),
        ("queue-ms", "integer", "How long it waited until a service was free; missing likewise."),
        (
            "queue-eta-ms",
            "integer",
            "How long it is expected to wait still, of a stream that begins while it does.",
        ),
    )
}
_HOW = [
    {"name": name, "in": "header", "required": False, "description": told, "schema": schema}
    for name, schema, told in (
        (
            "X-GenieHive-Priority",
            {"type": "string", "enum": sorted(WORDS, key=WORDS.__getitem__)},
            "Who goes first where some wait; above what the key may is 403.",
        ),
        (
            "X-Request-Timeout",
            {"type": "number", "exclusiveMinimum": 0},
            "Seconds that the request may take, waiting included.",
        ),
        (
            "X-Request-Id",
            {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            "What the client calls the request; the answer has it as `x-client-request-id`.",
        ),
    )
]
_NEXT = {
    "x-next-page-token": {
        "description": "`page_token` of the next page; missing on the last one.",
        "schema": {"type": "string"},
    },
    "link": {
        "description": "The next page as `rel=next`; missing on the last one.",
        "schema": {"type": "string"},
    },
}


def describing(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return what describes `app` when it is asked for, once."""
    made: dict[str, Any] = {}

    def described() -> dict[str, Any]:
        if not made:
            made.update(_described(app))
        return made

    return described


def _described(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    found["components"] = {
        "securitySchemes": _SCHEMES,
        "schemas": {"Error": _error_schema()},
        "responses": _refusals(),
    }
    told = answers()
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            operation["responses"].pop("422", None)  # the framework's own; ours are 400
            operation["summary"] = operation["description"].partition("\n")[0].rstrip(".")
            operation["tags"] = [_part(path)]
            if path.encode() in INFERENCE:
                operation["parameters"] = _HOW
            if path.startswith(_KEYED):
                operation["security"] = [{"bearer": []}, {"key": []}]
            if (answer := told.get((method, path))) is not None:
                operation["responses"] = _responses(path, operation, answer)
    return found


def _part(path: str) -> str:
    """Return what a path is about."""
    if path.startswith("/v1/cluster/"):
        return "cluster"
    if path.startswith("/v1/requests"):
        return "requests"
    return "models" if path.startswith("/v1/") else "this gateway"


def _responses(path: str, operation: dict[str, Any], answer: Answer) -> dict[str, Any]:
    names = {one["name"] for one in operation.get("parameters", ())}
    kind = TEXT if isinstance(answer.example, str) else JSON
    content = {kind: {"schema": _schema(answer), "example": answer.example}}
    if "stream" in str(operation.get("requestBody", "")):
        content["text/event-stream"] = {"schema": {"type": "string"}}
    headers = _REQUEST_ID | (_NEXT if "page_token" in names else {})
    if path.encode() in INFERENCE:
        headers |= _SERVED
    found: dict[str, Any] = {
        "200": {"description": "The answer.", "headers": headers, "content": content}
    }
    return found | {
        status: {"$ref": f"#/components/responses/{status}"} for status in sorted(answer.errors)
    }


def _schema(answer: Answer) -> Schema:
    return schema_of(answer.example, answer.rare)


def _error_schema() -> Schema:
    texts = {"type": "string"}
    return {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "code", "param"],
                "properties": {
                    "message": texts,
                    "type": texts,
                    "code": texts | {"enum": sorted({one.code for one in family()})},
                    "param": {"type": ["string", "null"]},
                },
            }
        },
    }


def _refusals() -> dict[str, Any]:
    """Return what each status means, with the codes that come with it."""
    by_status: dict[int, dict[str, type[GenieHiveError]]] = {}
    for one in family():
        by_status.setdefault(one.http, {})[one.code] = one
    return {
        str(status): {
            "description": ", ".join(f"`{code}`" for code in sorted(classes)),
            "headers": _REQUEST_ID | _retry(classes),
            "content": {
                JSON: {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "example": msgspec.json.decode(
                        errors.body(next(iter(classes.values()))("what is wrong, and what to do"))
                    ),
                }
            },
        }
        for status, classes in sorted(by_status.items())
    }


def _retry(classes: Mapping[str, type[GenieHiveError]]) -> dict[str, Any]:
    if not any(one.retry_after for one in classes.values()):
        return {}
    return {"retry-after": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
