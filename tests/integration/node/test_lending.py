"""What the owner of a machine says in the node's settings decides what clients can ask for."""

from pathlib import Path

import httpx
import pytest
import yaml

from tests.integration.cluster import running_cluster
from tests.processes import Service, stop_all

SECONDS = 30.0


@pytest.fixture(scope="module")
def ollama(tmp_path_factory):
    log = tmp_path_factory.mktemp("ollama") / "ollama.log"
    service = Service(["tests.engines.ollama", "--model", "qwen3", "--model", "mistral"], log)
    try:
        yield f"http://127.0.0.1:{service.port()}"
    finally:
        stop_all([service])


def lending(folder: Path, ollama: str, **inventory: object):
    roles = folder / "roles.yaml"
    gated = [
        {
            "role_id": name,
            "operation": "chat",
            "routing_policy": {"allowed_workload_classes": [name]},
        }
        for name in ("background", "interactive")
    ]
    roles.write_text(yaml.safe_dump({"roles": gated}))
    return running_cluster(
        folder,
        [{"service_id": "ollama", "endpoint": ollama}],
        control={"roles_path": str(roles), "registry": {"grace_s": 0}},
        node={"inventory": inventory},
    )


def ask(url: str, model: str) -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    path = f"{url}/v1/chat/completions"
    return httpx.post(path, json=body, timeout=SECONDS, trust_env=False).status_code


def test_families_and_workload_classes_bound_what_is_offered(tmp_path, ollama):
    bounds = {"workload_classes": ["background"], "max_contribution_ram_gb": 12.5}
    told = {"allowed_model_families": ["qwen"], **bounds}
    with lending(tmp_path, ollama, **told) as cluster:
        cluster.wait_for_model("qwen3")

        assert "mistral" not in cluster.models()
        assert ask(cluster.url, "qwen3") == httpx.codes.OK
        assert ask(cluster.url, "mistral") != httpx.codes.OK
        assert ask(cluster.url, "background") == httpx.codes.OK
        assert ask(cluster.url, "interactive") == httpx.codes.SERVICE_UNAVAILABLE
        path = f"{cluster.url}/v1/cluster/hosts/h1/inventory"
        policy = httpx.get(path, trust_env=False).json()["resources"]["contribution_policy"]
        assert policy["max_ram_gb"] == 12.5
