"""Where a request goes, as a real cluster tells it: over HTTP, to the command, and in fact."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.integration.cluster import Cluster, running_cluster
from tests.processes import START_SECONDS, Service, stop_all, wait_until

ROLES = {
    "roles": [
        {
            "role_id": "mentor",
            "description": "Explains concepts with patience",
            "operation": "chat",
            "modality": "text",
            "routing_policy": {"preferred_families": ["small"], "fallback_roles": ["helper"]},
        },
        {
            "role_id": "scholar",
            "operation": "chat",
            "modality": "text",
            "routing_policy": {"allowed_trust_tiers": ["lab"], "fallback_roles": ["helper"]},
        },
        {"role_id": "helper", "operation": "chat", "modality": "text"},
        {
            "role_id": "hermit",
            "operation": "chat",
            "modality": "text",
            "routing_policy": {"allowed_trust_tiers": ["lab"]},
        },
        {"role_id": "finder", "operation": "embeddings", "modality": "text"},
    ]
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("cluster")
    (folder / "roles.yaml").write_text(yaml.safe_dump(ROLES))
    engine = Service(["tests.fakes.engine", "--model", "small"], folder / "engine.log")
    services: list[dict[str, object]] = [
        {"service_id": "one", "endpoint": f"http://127.0.0.1:{engine.port()}"}
    ]
    settings = {"roles_path": str(folder / "roles.yaml")}
    try:
        with running_cluster(folder, services, control=settings) as running:
            running.wait_for_model("small")
            yield running
    finally:
        stop_all([engine])


def resolve(cluster: Cluster, **asked: str) -> httpx.Response:
    path = f"{cluster.url}/v1/cluster/routes/resolve"
    return httpx.get(path, params=asked, trust_env=False)


def match(cluster: Cluster, **asked: object) -> httpx.Response:
    path = f"{cluster.url}/v1/cluster/routes/match"
    return httpx.post(path, json=asked, trust_env=False)


def route(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `geniehive route`."""
    command = [sys.executable, "-P", "-m", "cli", "route", *arguments]
    return subprocess.run(
        [*command, "--control", cluster.control_address],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )


def chat(cluster: Cluster, model: str) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    return httpx.post(f"{cluster.url}/v1/chat/completions", json=body, trust_env=False)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("model", ["small", "h1/one", "mentor", "scholar"])
def test_a_request_goes_where_it_is_told_to_go(cluster: Cluster, model: str):
    wait_until(lambda: chat(cluster, model).is_success, START_SECONDS, f"{model} is served")
    told = resolve(cluster, model=model, kind="chat").json()["resolution"]

    assert told["service"]["service_id"] == "h1/one"
    assert told["service"]["asset_id"] == "small"
    assert chat(cluster, model).headers["x-geniehive-service"] == "h1/one"
    assert told["match_type"] == ("role" if model in ("mentor", "scholar") else "direct")
    assert told.get("fallback_via") == ("helper" if model == "scholar" else None)


def test_why_is_told_alike_over_http_and_to_the_command(cluster: Cluster):
    def explained() -> Any:
        return resolve(cluster, model="scholar", explain="1").json()["explanation"]

    over_http, before = explained(), None
    while over_http != before:  # what was measured of its speed may come in between
        before = over_http
        ended = route(cluster, "explain", "scholar", "--json")
        over_http = explained()
    typed = json.loads(ended.stdout)

    assert ended.returncode == 0, ended.stderr
    assert typed.pop("schema") == "geniehive.route/1"
    assert typed == over_http
    assert [one["role_id"] for one in typed["passed_over"]] == ["scholar"]
    (why,) = typed["explanations"]
    assert why["chosen"]
    assert all(gate["passed"] for gate in why["gates"])


def test_people_see_who_serves_and_who_cannot(cluster: Cluster):
    told = route(cluster, "explain", "mentor")
    head, titles, row, *_ = told.stdout.split("\n")
    assert head.startswith("mentor (role, chat) -> h1/one small   least_loaded   routes v")
    assert titles.split()[:3] == ["SCORE", "SERVICE", "ASSET"]
    assert row.split()[1:3] == ["h1/one", "small"]

    nobody = route(cluster, "explain", "hermit").stdout
    assert "hermit (role, chat) -> nobody can serve it now" in nobody
    assert "trust_tier: " in nobody


def test_a_role_that_nobody_serves_is_no_error_of_who_asks(cluster: Cluster):
    told = resolve(cluster, model="hermit")

    assert told.status_code == 200
    assert told.json()["resolution"]["role"]["role_id"] == "hermit"
    assert told.json()["resolution"]["service"] is None


def test_what_cannot_be_resolved_is_told_as_it_is_for_requests(cluster: Cluster):
    assert code(resolve(cluster, model="smal")) == (404, "model_not_found")
    assert "similar: small" in resolve(cluster, model="smal").json()["error"]["message"]
    assert code(resolve(cluster, model="finder", kind="chat")) == (400, "operation_mismatch")
    assert code(match(cluster, task="x" * 200_000)) == (400, "invalid_value")

    unknown = route(cluster, "explain", "smal")
    assert (unknown.returncode, unknown.stdout) == (5, "")
    assert unknown.stderr == "error: no model or role 'smal'; similar: small\n"
    mismatch = route(cluster, "explain", "mentor", "--operation", "embeddings")
    assert mismatch.returncode == 2
    assert mismatch.stderr == "error: 'mentor' serves chat, not embeddings\n"


def test_a_task_finds_its_role(cluster: Cluster):
    told = match(cluster, task="explains concepts", kind="chat", limit=2).json()
    first, _ = told["candidates"]

    assert told["task_count"] == 1
    assert (first["candidate_type"], first["candidate_id"]) == ("role", "mentor")
    assert first["service"]["service_id"] == "h1/one"
    assert first["signals"]["task_overlap"] == 1.0
    typed = route(cluster, "match", "explains concepts", "--operation", "chat", "-q")
    assert typed.stdout.split()[0] == "mentor"
    assert "mentor" in route(cluster, "match", "explains concepts").stdout


def test_without_control_questions_wait_and_requests_do_not(cluster: Cluster):
    """The last test of this file, since it takes control away."""
    cluster.control.stop()
    answer = resolve(cluster, model="small")

    assert code(answer) == (503, "control_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert chat(cluster, "small").is_success
