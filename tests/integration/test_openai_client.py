"""The unmodified `openai` client against the whole cluster, through both doors."""

from collections.abc import Iterator

import openai
import pytest

from tests.integration.cluster import Cluster, running_cluster

KEY = "sk-test-1"
HELLO = [{"role": "user", "content": "Say hello"}]


@pytest.fixture(scope="module")
def cluster(door, fake_engine, tmp_path_factory) -> Iterator[Cluster]:
    services = [{"service_id": "fake", "endpoint": fake_engine}]
    auth = {"auth": {"client_api_keys": [KEY]}}
    folder = tmp_path_factory.mktemp("cluster")
    with running_cluster(folder, services, door=door, control=auth) as running:
        running.wait_for_model("small", KEY)
        yield running


@pytest.fixture
def client(cluster: Cluster) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{cluster.url}/v1", api_key=KEY, max_retries=0) as opened:
        yield opened


def test_chat(client):
    answer = client.chat.completions.create(model="small", messages=HELLO)

    assert answer.choices[0].message.content == "word " * 8
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 8


def test_chat_by_the_name_of_the_service(client):
    answer = client.chat.completions.create(model="h1/fake", messages=HELLO)
    assert answer.choices[0].message.content == "word " * 8


def test_chat_streamed(client):
    chunks = list(
        client.chat.completions.create(
            model="small", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )

    words = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(words) == "word " * 8
    assert chunks[-1].usage.total_tokens == 15


def test_models(client):
    assert "small" in [model.id for model in client.models.list()]


def test_an_unknown_model_is_404_with_its_code(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="smal", messages=HELLO)

    assert caught.value.code == "model_not_found"
    assert "small" in caught.value.message
    assert caught.value.request_id


def test_a_wrong_key_is_401_with_its_code(cluster):
    with (
        openai.OpenAI(base_url=f"{cluster.url}/v1", api_key="sk-other", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(model="small", messages=HELLO)

    assert caught.value.code == "invalid_api_key"
    assert "sk-other" not in caught.value.message


def test_a_mistake_in_the_request_is_400_and_names_the_field(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="small", messages=HELLO, temperature="hot")

    assert caught.value.code == "invalid_value"
    assert caught.value.param == "temperature"
