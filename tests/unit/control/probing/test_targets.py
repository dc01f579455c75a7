import pytest

from control.probing.targets import first, second

LIST = b'{"object":"list","data":[{"id":"m","owned_by": "%s"}]}'


@pytest.mark.parametrize(
    ("engine", "path"),
    [
        ("llamacpp", "/health"),
        ("llama.cpp", "/health"),
        ("llama-server", "/health"),
        ("vLLM", "/health"),
        ("whisper.cpp", "/health"),
        ("Ollama", "/api/version"),
        ("SGLang", "/v1/models"),
        ("LM Studio", "/v1/models"),
        ("lm_studio", "/v1/models"),
        ("openai", "/v1/models"),
        ("", "/v1/models"),
        ("\N{SNOWMAN}", "/v1/models"),
    ],
)
def test_an_engine_is_asked_what_costs_it_nothing(engine, path):
    assert first(engine) == path


@pytest.mark.parametrize("status", [200, 404, 405, 500, 503])
@pytest.mark.parametrize("engine", ["sglang", "lmstudio", "ollama"])
def test_who_may_work_for_an_answer_is_asked_nothing_else(engine, status):
    assert second(engine, status, b"{}") is None


@pytest.mark.parametrize("owner", [b"sglang", b"library", b"organization_owner"])
def test_an_unnamed_one_that_tells_who_it_is_by_its_models_is_asked_no_more(owner):
    assert second("openai", 200, LIST % owner) is None


def test_any_other_unnamed_one_is_asked_for_its_health_too():
    assert second("", 200, LIST % b"llama-swap") == "/health"
    assert second("openai", 404, b"") == "/health"
    assert second("openai", 401, b"") is None
    assert second("openai", 500, b"") is None


@pytest.mark.parametrize(
    ("status", "path"), [(404, "/v1/models"), (405, "/v1/models"), (200, None), (503, None)]
)
def test_one_without_a_health_is_asked_for_its_models(status, path):
    assert second("whisper.cpp", status, b"") == path
