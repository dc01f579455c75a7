"""Embeddings of a real llama.cpp server, for the unmodified `openai` client."""

from collections.abc import Iterator

import openai
import pytest

from tests.integration.benching import run_report
from tests.integration.cluster import running_cluster
from tests.integration.conftest import DEMO, DEMO_MODEL, missing
from tests.processes import Service, stop_all

MODEL = "smol-embed"
TEXTS = ["A man is eating food.", "A man is eating a piece of bread.", "The sky is blue today."]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    if not DEMO_MODEL.exists():
        missing("the demo model is not there; make test fetches it")
    folder = tmp_path_factory.mktemp("embeddings")
    command = ["tests.integration.embedding_engine", str(DEMO_MODEL), MODEL]
    engine = Service(command, folder / "engine.log", {"PYTHONPATH": str(DEMO)})
    try:
        endpoint = f"http://127.0.0.1:{engine.port()}"
        services = [{"service_id": "llama", "endpoint": endpoint, "kind": "embeddings"}]
        with running_cluster(folder, services) as cluster:
            cluster.wait_for_model(MODEL)
            base_url = f"{cluster.url}/v1"
            with openai.OpenAI(base_url=base_url, api_key="none", max_retries=0) as opened:
                yield opened
    finally:
        stop_all([engine])


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}], ids=["base64", "float"])
def test_each_text_has_its_vector(client, options):
    answer = client.embeddings.create(model=MODEL, input=TEXTS, **options)
    one, near, far = (entry.embedding for entry in answer.data)

    assert len(one) == len(near) == len(far) == 576
    assert answer.usage.prompt_tokens > len(TEXTS)
    assert cosine(one, one) == pytest.approx(1.0, abs=0.001)
    assert cosine(one, near) > cosine(one, far)


def test_our_workload_of_embeddings_fits_a_real_model(client, tmp_path):
    url = str(client.base_url).removesuffix("/v1/")
    found = run_report(tmp_path, url, "embeddings.short_texts", "--target", MODEL)
    results = found["samples"][0]["results"]

    assert results["response_rate"] == 1.0
    assert {one["fault"] for one in found["requests"]} <= {None, "nearest_to_first"}
    assert results["prompt_tokens"] > 0


def test_a_mistake_in_the_request_is_the_answer_of_the_engine(client):
    with pytest.raises(openai.BadRequestError, match="input"):
        client.post("/embeddings", body={"model": MODEL}, cast_to=object)


def test_a_model_that_is_declared_to_embed_does_not_chat(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])

    assert caught.value.code == "operation_mismatch"


def cosine(a: list[float], b: list[float]) -> float:
    """Return the cosine of two vectors of length 1."""
    return sum(x * y for x, y in zip(a, b, strict=True))
