"""What roles and nodes say of requests is what engines get, through the whole cluster."""

import json
from collections.abc import Iterator

import httpx
import pytest
import yaml
from anyio.from_thread import start_blocking_portal

from tests.fakes.answers import Answer, completion, document
from tests.fakes.engine import Engine, Request
from tests.integration.cluster import Cluster, running_cluster

ROLES = [
    {
        "role_id": "mentor",
        "operation": "chat",
        "modality": "text",
        "prompt_policy": {
            "system_prompt": "Guide.",
            "user_template": "Question: {{ user_input }}",
            "request_policy": {
                "body_defaults": {"temperature": 0.5},
                "body_overrides": {"seed": 7},
                "reasoning": "pass",
            },
        },
        "routing_policy": {"preferred_families": ["qwen3"]},
    },
    {"role_id": "plain", "operation": "chat", "modality": "text"},
]
ASSETS = [
    {"asset_id": "Qwen/Qwen3-8B", "loaded": True},
    {
        "asset_id": "small",
        "loaded": True,
        "request_policy": {
            "body_defaults": {"temperature": 0.1, "top_p": 0.9},
            "system_prompt": "Be brief.",
        },
    },
]
THOUGHTLESS = {"chat_template_kwargs": {"enable_thinking": False}}


def echo(request: Request) -> Answer:
    """Answer with the request itself, after some thought."""
    if request.method == "GET":
        return document({"data": []})
    answer = completion(request.body.decode(), "m")
    answer["choices"][0]["message"]["reasoning_content"] = "hm"
    return document(answer)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("policies")
    catalog = folder / "roles.yaml"
    catalog.write_text(yaml.safe_dump({"roles": ROLES}))
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Engine(echo)) as engine,
        running_cluster(
            folder,
            [{"service_id": "echo", "endpoint": engine.url, "assets": ASSETS}],
            control={"roles_path": str(catalog)},
        ) as running,
    ):
        # A role is there before anybody serves it.
        running.wait_for_model("Qwen/Qwen3-8B")
        yield running


def message(cluster, model, **fields):
    """Return what an engine got, and what it thought of it as far as the client sees it."""
    said = {"role": "user", "content": "Why?"}
    body = {"model": model, "messages": [said], **fields}
    answer = httpx.post(f"{cluster.url}/v1/chat/completions", json=body, trust_env=False)
    assert answer.status_code == httpx.codes.OK, answer.text
    found = answer.json()["choices"][0]["message"]
    return json.loads(found["content"]), found.get("reasoning_content")


def test_a_role_says_what_it_is_for(cluster):
    got, thought = message(cluster, "mentor", seed=1)

    assert got == {
        "model": "Qwen/Qwen3-8B",
        "messages": [
            {"role": "system", "content": "Guide."},
            {"role": "user", "content": "Question: Why?"},
        ],
        "seed": 7,
        "temperature": 0.5,
        **THOUGHTLESS,
    }
    assert thought == "hm"


def test_the_caller_has_the_last_word_on_defaults(cluster):
    thinking = {"chat_template_kwargs": {"enable_thinking": True}}

    got, _ = message(cluster, "mentor", temperature=None, **thinking)

    assert got["temperature"] is None
    assert got["chat_template_kwargs"] == thinking["chat_template_kwargs"]


def test_an_asset_says_how_it_is_used(cluster):
    got, thought = message(cluster, "small", top_p=0.5)

    assert got == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why?"},
        ],
        "top_p": 0.5,
        "temperature": 0.1,
    }
    assert thought is None


def test_a_neighbour_of_qwen_is_not_taken_for_it(cluster):
    asked, _ = message(cluster, "Qwen/Qwen3-8B")
    neighbour, _ = message(cluster, "small")

    assert asked.items() >= THOUGHTLESS.items()
    assert "chat_template_kwargs" not in neighbour


def test_messages_that_nothing_can_be_added_to_are_refused(cluster):
    body = {"model": "mentor", "messages": [{"role": "user", "content": None}]}

    answer = httpx.post(f"{cluster.url}/v1/chat/completions", json=body, trust_env=False)

    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.json()["error"]["code"] == "invalid_value"
    assert answer.json()["error"]["param"] == "messages"
