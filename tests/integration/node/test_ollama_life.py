"""What is pulled, loaded, unloaded and deleted in Ollama is seen by clients soon after."""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.integration.cluster import Cluster, running_cluster
from tests.processes import Service, stop_all, wait_until

pytestmark = pytest.mark.shows("ollama", "assets", "loaded", by="stand-in")

INTERVAL_SECONDS = 5.0  # of beats, by default
MODELS = ("--model", "qwen3", "--model", "nomic-embed-text")


@pytest.fixture(scope="module")
def ollamas(tmp_path_factory) -> Iterator[list[str]]:
    """Two of them; their addresses."""
    folder = tmp_path_factory.mktemp("ollama")
    services = [Service(["tests.engines.ollama", *MODELS], folder / f"{name}.log") for name in "ab"]
    try:
        yield [f"http://127.0.0.1:{one.port()}" for one in services]
    finally:
        stop_all(services)


@pytest.fixture(scope="module")
def cluster(ollamas, tmp_path_factory) -> Iterator[Cluster]:
    services: list[dict[str, object]] = [
        {"service_id": name, "endpoint": url, "discover_protocol": "ollama"}
        for name, url in zip("ab", ollamas, strict=True)
    ]
    with running_cluster(tmp_path_factory.mktemp("cluster"), services) as found:
        found.wait_for_model("qwen3")
        yield found


def told(url: str, method: str, path: str, **body: object) -> None:
    """Have Ollama do something by its own API."""
    answer = httpx.request(method, f"{url}{path}", json=body, trust_env=False)
    assert answer.is_success, answer.text


def ask(cluster: Cluster, path: str, **body: object) -> httpx.Response:
    return httpx.post(f"{cluster.url}{path}", json=body, trust_env=False)


def took(fact: Callable[[], bool], what: str) -> None:
    """Wait for `fact` for one interval at most, and print how long it took."""
    began = time.monotonic()
    # Twice: a machine that runs all tests at once may be late by its own fault.
    wait_until(fact, 2 * INTERVAL_SECONDS, what)
    print(f"{what}: after {time.monotonic() - began:.2f} s")


def preferred(cluster: Cluster, model: str) -> str:
    """Return the service that requests for `model` go to first."""
    url = f"{cluster.url}/v1/cluster/routes/resolve"
    answer = httpx.get(url, params={"model": model}, trust_env=False)
    assert answer.is_success, answer.text
    return str(answer.json()["resolution"]["service"]["service_id"])


def test_a_model_is_offered_preferred_and_gone_as_it_is_in_ollama(cluster, ollamas):
    first, second = ollamas

    told(first, "POST", "/api/pull", model="gemma3", stream=False)
    took(lambda: "gemma3" in cluster.models(), "pulled, it is in /v1/models")
    told(second, "POST", "/api/pull", model="gemma3", stream=False)

    told(second, "POST", "/api/generate", model="gemma3")
    took(lambda: preferred(cluster, "gemma3") == "h1/b", "loaded, it is preferred")
    told(first, "POST", "/api/generate", model="gemma3")
    told(second, "POST", "/api/generate", model="gemma3", keep_alive=0)
    took(lambda: preferred(cluster, "gemma3") == "h1/a", "unloaded, it is preferred no more")

    for url in ollamas:
        told(url, "DELETE", "/api/delete", model="gemma3")
    took(lambda: "gemma3" not in cluster.models(), "deleted, it is gone")


def test_what_embeds_is_never_offered_for_chat_nor_the_other_way_round(cluster):
    words = [{"role": "user", "content": "hello"}]
    chat = ask(cluster, "/v1/chat/completions", model="nomic-embed-text", messages=words)
    vectors = ask(cluster, "/v1/embeddings", model="qwen3", input="hello")
    fine = ask(cluster, "/v1/embeddings", model="nomic-embed-text", input="hello")

    assert (chat.status_code, chat.json()["error"]["code"]) == (400, "operation_mismatch")
    assert (vectors.status_code, vectors.json()["error"]["code"]) == (400, "operation_mismatch")
    assert fine.status_code == 200, fine.text


def test_a_name_with_latest_is_the_name_without(cluster):
    words = [{"role": "user", "content": "hello"}]
    answer = ask(cluster, "/v1/chat/completions", model="qwen3:latest", messages=words)

    assert answer.status_code == 200, answer.text
    assert "qwen3" in cluster.models()
    assert "qwen3:latest" not in cluster.models()
