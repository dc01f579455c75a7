"""A real llama.cpp server with a real model behind the gateway, through both doors."""

import re
from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.integration.benching import run_report
from tests.integration.cluster import Cluster, running_cluster
from tests.integration.conftest import start_llamacpp
from tests.processes import START_SECONDS, stop_all, wait_until

MODEL = "smollm2-135m"
HELLO = [{"role": "user", "content": "Say hello in one short sentence."}]
LONG = [{"role": "user", "content": "Count from one to five hundred, in words."}]


@pytest.fixture(scope="module")
def cluster(door, llamacpp, tmp_path_factory) -> Iterator[Cluster]:
    services = [{"service_id": "llama", "endpoint": llamacpp}]
    with running_cluster(tmp_path_factory.mktemp("cluster"), services, door=door) as running:
        running.wait_for_model(MODEL)
        yield running


@pytest.fixture
def client(cluster: Cluster) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{cluster.url}/v1", api_key="none", max_retries=0) as opened:
        yield opened


def gauge(address: str, name: str) -> int:
    """Return what llama.cpp counts now."""
    text = httpx.get(f"{address}/metrics", trust_env=False).text
    found = re.search(rf"^llamacpp:{name} (\d+)", text, re.MULTILINE)
    assert found, text
    return int(found[1])


def test_chat(client):
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=16)

    assert answer.choices[0].message.content
    assert answer.usage.completion_tokens <= 16


def test_a_workload_is_timed_token_by_token(cluster, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "workload: chat.tiny\noperation: chat\nbody: {max_tokens: 8, temperature: 0}\n"
        f"cases: [{{case: hello, prompt: '{HELLO[0]['content']}'}}]\n"
    )
    (sample,) = run_report(tmp_path, cluster.url, str(path), "--target", MODEL)["samples"]
    results = sample["results"]

    assert (sample["service_id"], sample["asset_id"]) == ("h1/llama", MODEL)
    assert (results["pass_rate"], results["token_source"]) == (1.0, "usage")
    assert 0 < results["ttft_ms"] < results["p50_latency_ms"]
    assert results["tokens_per_sec"] > 0
    assert 1 < results["completion_tokens"] <= 8


def test_chat_streamed(client):
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=16, stream=True)
    chunks = list(stream)

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.strip()
    assert len(chunks) > 2, "it came in one piece"


def test_a_client_that_leaves_frees_the_slot(client, llamacpp):
    """llama.cpp would speak on for a minute; it stops because its connection is closed."""
    stream = client.chat.completions.create(
        model=MODEL, messages=LONG, max_tokens=4000, stream=True
    )
    next(iter(stream))
    assert gauge(llamacpp, "requests_processing") == 1
    stream.close()

    wait_until(lambda: gauge(llamacpp, "requests_processing") == 0, 30, "the slot is free")


def test_a_prompt_that_is_too_long_is_the_answer_of_the_engine(client):
    """What the engine says of the request passes; it is no failure of the route."""
    much = [{"role": "user", "content": "word " * 20_000}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=much)

    assert "exceeds the available context size" in caught.value.message


def test_a_model_is_503_until_it_is_loaded(door, tmp_path, known_port):
    """A client may wait and try again: never 404 for a model that is declared, never 502."""
    service = {
        "service_id": "llama",
        "endpoint": f"http://127.0.0.1:{known_port}",
        "assets": [{"asset_id": MODEL}],
    }
    body = {"model": MODEL, "messages": HELLO, "max_tokens": 4}
    seen: list[tuple[int, str]] = []

    def served(url: str) -> bool:
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, trust_env=False)
        code = "" if answer.is_success else answer.json()["error"]["code"]
        if (answer.status_code, code) not in seen:
            seen.append((answer.status_code, code))
        return answer.is_success

    with running_cluster(tmp_path, [service], door=door) as cluster:
        wait_until(
            lambda: served(cluster.url) or (503, "no_healthy_route") in seen,
            START_SECONDS,
            "the declared model is known",
        )
        seen.clear()
        engine = start_llamacpp(tmp_path / "llamacpp.log", known_port)
        try:
            wait_until(lambda: served(cluster.url), START_SECONDS, "an answer")
        finally:
            stop_all([engine])

    assert seen == [(503, "no_healthy_route"), (200, "")]
