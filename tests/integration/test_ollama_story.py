"""Ollama from a pull to a deletion, as a client of the gateway notices it.

With a node that found it by itself; the stand-in answers as Ollama does.
"""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.cluster import Cluster, running_cluster
from tests.processes import Service, stop_all, wait_until

INTERVAL_S = 5.0  # of the heartbeats: what is asked for
BOUND_S = 10 * INTERVAL_S  # a busy machine must not fail a test

pytestmark = pytest.mark.shows(
    "ollama", "fingerprint", "assets", "capabilities", "loaded", by="stand-in"
)


@pytest.fixture(scope="module")
def ollama(tmp_path_factory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("ollama") / "ollama.log"
    models = ["--model", "qwen3", "--model", "nomic-embed-text"]
    service = Service(["tests.engines.ollama", *models], log)
    try:
        yield f"http://127.0.0.1:{service.port()}"
    finally:
        stop_all([service])


@pytest.fixture(scope="module")
def cluster(ollama, tmp_path_factory) -> Iterator[Cluster]:
    services = [{"service_id": "ollama", "endpoint": ollama}]
    registry = {"heartbeat_interval_s": INTERVAL_S, "grace_s": 0}
    folder = tmp_path_factory.mktemp("cluster")
    with running_cluster(folder, services, control={"registry": registry}) as running:
        running.wait_for_model("qwen3")
        yield running


def ask(url: str, path: str, method: str = "POST", **body: object) -> httpx.Response:
    return httpx.request(method, f"{url}{path}", json=body, timeout=30.0, trust_env=False)


def chat(cluster: Cluster, model: str) -> httpx.Response:
    messages = [{"role": "user", "content": "hello"}]
    return ask(cluster.url, "/v1/chat/completions", model=model, messages=messages)


def loaded(cluster: Cluster, model: str) -> int:
    """Return how often a model is in memory, as the gateway tells it."""
    listed = httpx.get(f"{cluster.url}/v1/models", trust_env=False).json()["data"]
    (one,) = (entry for entry in listed if entry["id"] == model)
    return int(one["geniehive"]["loaded_asset_count"])


def took(fact, what: str) -> None:
    """Wait until `fact` is true, and print how long that was."""
    begin = time.monotonic()
    wait_until(fact, BOUND_S, what)
    print(f"\n  {what} after {time.monotonic() - begin:.1f} s, asked: {INTERVAL_S:g}")


def test_a_model_that_is_pulled_is_offered_and_one_that_is_deleted_is_not(cluster, ollama):
    ask(ollama, "/api/pull", model="mistral")
    took(lambda: "mistral" in cluster.models(), "pulled, listed")
    assert chat(cluster, "mistral").status_code == httpx.codes.OK

    ask(ollama, "/api/delete", "DELETE", model="mistral")
    took(lambda: "mistral" not in cluster.models(), "deleted, listed no more")
    assert chat(cluster, "mistral").status_code == httpx.codes.NOT_FOUND


def test_what_is_in_memory_is_told(cluster, ollama):
    assert chat(cluster, "qwen3").status_code == httpx.codes.OK
    took(lambda: loaded(cluster, "qwen3") == 1, "loaded, told")

    ask(ollama, "/api/generate", model="qwen3", keep_alive=0)
    took(lambda: loaded(cluster, "qwen3") == 0, "unloaded, told")


def test_a_model_has_one_name(cluster):
    assert "qwen3:latest" not in cluster.models()
    for name in ("qwen3", "qwen3:latest"):
        answer = chat(cluster, name)
        assert answer.status_code == httpx.codes.OK, answer.text


def test_what_embeds_does_not_chat_and_the_reverse(cluster):
    answer = chat(cluster, "nomic-embed-text")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "operation_mismatch")
    embedded = ask(cluster.url, "/v1/embeddings", model="nomic-embed-text", input="hello")
    assert embedded.status_code == httpx.codes.OK
    answer = ask(cluster.url, "/v1/embeddings", model="qwen3", input="hello")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "operation_mismatch")
