"""What a real cluster tells of itself over HTTP, and what it takes, good and bad."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.integration.cluster import Cluster, running_cluster
from tests.processes import START_SECONDS, Service, stop_all

KEY = "sk-client"
ROLES = {"roles": [{"role_id": "mentor", "operation": "chat"}]}
BENCHMARKS = "/v1/cluster/benchmarks"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("cluster")
    (folder / "roles.yaml").write_text(yaml.safe_dump(ROLES))
    engine = Service(["tests.fakes.engine", "--model", "small"], folder / "engine.log")
    services: list[dict[str, object]] = [
        {"service_id": name, "endpoint": f"http://127.0.0.1:{engine.port()}"}
        for name in ("one", "two", "three")
    ]
    control = {"roles_path": str(folder / "roles.yaml"), "auth": {"client_api_keys": [KEY]}}
    try:
        with running_cluster(folder, services, control=control) as running:
            for name in ("h1/one", "h1/two", "h1/three", "mentor"):
                running.wait_for_model(name, KEY)
            yield running
    finally:
        stop_all([engine])


@pytest.fixture
def client(cluster: Cluster) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(
        base_url=cluster.url, headers=headers, trust_env=False, timeout=START_SECONDS
    ) as client:
        yield client


def sample(**fields: object) -> dict[str, object]:
    usual = {
        "service_id": "h1/one",
        "asset_id": "small",
        "workload": "chat.w",
        "observed_at": time.time(),
        "results": {"pass_rate": 1.0},
    }
    return usual | fields


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    assert len(error["message"]) < 500
    return answer.status_code, error["code"], error["param"]


def test_pages_lead_through_the_whole_list(client: httpx.Client):
    found, url = [], "/v1/cluster/services?limit=2"
    while url:
        answer = client.get(url).raise_for_status()
        found += [one["service_id"] for one in answer.json()]
        url = answer.links["next"]["url"] if "next" in answer.links else ""

    assert found == ["h1/one", "h1/three", "h1/two"]
    assert found == [one["service_id"] for one in client.get("/v1/cluster/services").json()]


def test_a_page_token_of_another_list_or_of_nobody_is_refused(client: httpx.Client):
    token = client.get("/v1/cluster/services?limit=1").headers["x-next-page-token"]
    for path in (
        f"hosts?page_token={token}",
        f"services?page_token={token}&operation=embeddings",
        f"benchmarks?page_token={token}",
        "services?page_token=garbage",
        "roles?page_token=%00%ff",
    ):
        status, code, param = refused(client.get(f"/v1/cluster/{path}"))
        assert (status, code) == (400, "invalid_value"), path
        assert param in ("page_token", None)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"results": {"pass_rate": -1}}, ".results.pass_rate"),
        ({"results": {"ttft_ms": -0.5}}, ".results.ttft_ms"),
        ({"results": {"ttft_ms": "fast"}}, ".results.ttft_ms"),
        ({"observed_at": time.time() + 86_400}, ".observed_at"),
        ({"observed_at": 86_400}, ".observed_at"),
        ({"workload": "w" * 1_000_000}, ".workload"),
        ({"workload": ""}, ".workload"),
        ({"service_id": "h1/\u0007"}, ".service_id"),
    ],
    ids=["negative", "slower", "words", "future", "ancient", "megabyte", "empty", "bell"],
)
def test_a_bad_sample_refuses_the_call_and_is_named(client: httpx.Client, fields, place: str):
    samples = [sample(workload="chat.bad"), sample(asset_id="m"), sample(**fields)]
    answer = client.post(BENCHMARKS, json={"samples": samples})

    assert refused(answer) == (400, "invalid_value", f"samples[2]{place}")
    assert client.get(f"{BENCHMARKS}?workload=chat.bad").json() == []


def test_what_is_no_json_number_is_no_json(client: httpx.Client):
    raw = json.dumps({"samples": [sample(results={"pass_rate": float("nan")})]})
    answer = client.post(BENCHMARKS, content=raw, headers={"content-type": "application/json"})

    assert refused(answer)[:2] == (400, "invalid_body")


def test_the_same_call_again_changes_nothing(client: httpx.Client):
    samples = [sample(benchmark_id="again", workload="chat.again")]
    first = client.post(BENCHMARKS, json={"samples": samples}).json()
    second = client.post(BENCHMARKS, json={"samples": samples}).json()

    assert (first["created_count"], first["replaced_count"]) == (1, 0)
    assert (second["created_count"], second["replaced_count"]) == (0, 1)
    assert len(client.get(f"{BENCHMARKS}?workload=chat.again").json()) == 1


def test_samples_of_unknown_services_are_kept_and_flagged(client: httpx.Client):
    samples = [sample(service_id="h9/gone", workload="chat.gone")]
    told = client.post(BENCHMARKS, json={"samples": samples}).json()
    (kept,) = client.get(f"{BENCHMARKS}?service_id=h9/gone").json()

    assert told["unknown_service_ids"] == ["h9/gone"]
    assert kept["service_known"] is False
    assert kept["benchmark_id"] == told["data"][0]["benchmark_id"]


def test_ten_thousand_samples_are_kept_in_one_call(client: httpx.Client):
    samples = [sample(workload=f"chat.many-{n % 100}", asset_id=f"a{n}") for n in range(10_000)]
    told = client.post(BENCHMARKS, json={"samples": samples})

    assert told.status_code == 200, told.text[:500]
    assert told.json()["count"] == 10_000
    assert len(client.get(f"{BENCHMARKS}?workload=chat.many-7").json()) == 100
    assert client.get("/v1/cluster/health").json()["benchmark_sample_count"] >= 10_000
    too_many = client.post(BENCHMARKS, json={"samples": [*samples, sample()]})
    assert refused(too_many) == (400, "invalid_value", "samples")


@pytest.mark.parametrize("path", ["hosts", "services", "roles", "benchmarks", "health"])
def test_without_a_key_nothing_is_told(cluster: Cluster, path: str):
    answer = httpx.get(f"{cluster.url}/v1/cluster/{path}", trust_env=False)

    assert answer.status_code == 401


def test_the_command_and_http_tell_the_same(cluster: Cluster, client: httpx.Client):
    command = [sys.executable, "-P", "-m", "cli", "roles", "--json"]
    ended = subprocess.run(
        [*command, "--control", cluster.control_address],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["roles"] == client.get("/v1/cluster/roles").json()


def test_without_control_models_are_listed_all_the_same(cluster: Cluster, client: httpx.Client):
    """The last test of this file, since it takes control away."""
    before = client.get("/v1/models").json()["data"]
    assert all("offload_hint" in one["geniehive"] for one in before)
    cluster.control.stop()
    after = client.get("/v1/models").json()["data"]

    assert [one["id"] for one in after] == [one["id"] for one in before]
    assert refused(client.get("/v1/cluster/services/h1/one"))[:2] == (503, "control_unavailable")
