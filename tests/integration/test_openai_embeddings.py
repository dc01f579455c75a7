"""Embeddings and single models for the unmodified `openai` client, through both doors."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.integration.cluster import Cluster, running_cluster
from tests.processes import Service, stop_all

TEXTS = ["a", "bb", "ccc"]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that embeds, by the model `org/minilm`."""
    log: Path = tmp_path_factory.mktemp("embedder") / "engine.log"
    service = Service(["tests.fakes.engine", "--model", "org/minilm"], log)
    try:
        yield f"http://127.0.0.1:{service.port()}"
    finally:
        stop_all([service])


@pytest.fixture(scope="module")
def cluster(door, fake_engine, embedder, tmp_path_factory) -> Iterator[Cluster]:
    services = [
        {"service_id": "fake", "endpoint": fake_engine},
        {"service_id": "embed", "endpoint": embedder, "kind": "embeddings"},
    ]
    with running_cluster(tmp_path_factory.mktemp("cluster"), services, door=door) as running:
        running.wait_for_model("small")
        running.wait_for_model("org/minilm")
        yield running


@pytest.fixture
def client(cluster: Cluster) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{cluster.url}/v1", api_key="none", max_retries=0) as opened:
        yield opened


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}], ids=["base64", "float"])
def test_a_list_of_texts(client, options):
    answer = client.embeddings.create(model="org/minilm", input=TEXTS, dimensions=3, **options)

    assert [one.embedding for one in answer.data] == [[n] * 3 for n in (1.0, 2.0, 3.0)]
    assert [one.index for one in answer.data] == [0, 1, 2]
    assert answer.usage.prompt_tokens == 3


def test_one_text_by_the_name_of_the_service(client):
    raw = client.embeddings.with_raw_response.create(model="h1/embed", input="abcd")

    assert raw.parse().data[0].embedding == [4.0] * 4
    assert raw.headers["x-geniehive-service"] == "h1/embed"


@pytest.mark.parametrize("model", ["small", "h1/fake"])
def test_a_model_for_chat_only_is_400(client, model):
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=model, input="a")

    assert (caught.value.code, caught.value.param) == ("operation_mismatch", "model")
    assert "chat only" in caught.value.message


def test_a_model_for_embeddings_only_does_not_chat(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="org/minilm", messages=[])

    assert caught.value.code == "operation_mismatch"


@pytest.mark.parametrize(
    ("name", "kind", "services"),
    [
        ("small", "asset", ["h1/fake"]),
        ("org/minilm", "asset", ["h1/embed"]),
        ("h1/embed", "service", ["h1/embed"]),
    ],
)
def test_one_model_by_its_name(client, name, kind, services):
    model = client.models.retrieve(name)

    assert (model.id, model.object, model.owned_by) == (name, "model", "h1")
    assert (model.geniehive["route_type"], model.geniehive["services"]) == (kind, services)


def test_the_list_holds_the_same_models(client):
    listed = list(client.models.list())

    assert [model.id for model in listed] == ["h1/embed", "h1/fake", "org/minilm", "small"]
    assert listed == [client.models.retrieve(model.id) for model in listed]


@pytest.mark.parametrize("name", ["smal", "org/mini", "h1", "%2F", "a" * 1_000])
def test_an_unknown_model_is_404(client, name):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve(name)

    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
