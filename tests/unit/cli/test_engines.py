"""The line about a model server says what it is, where, and what to do when it has no model."""

import pytest

from cli.engines import told
from node.engines.sight import Model, Sight

OLLAMA = "http://127.0.0.1:11434"
MODELS = tuple(Model(name, loaded) for name, loaded in [("a", True), ("b", False), ("c", None)])


@pytest.mark.parametrize(
    ("sight", "line"),
    [
        (
            Sight("healthy", engine="ollama", version="0.14.2", models=MODELS),
            "ollama 0.14.2 127.0.0.1:11434, 3 models, 1 loaded",
        ),
        (
            Sight("healthy", engine="ollama", models=()),
            "ollama 127.0.0.1:11434 has no models yet: ollama pull qwen3:8b",
        ),
        (Sight("healthy", engine="vllm", models=()), "vllm 127.0.0.1:11434 has no models yet"),
        (Sight("loading", engine="llamacpp"), "llamacpp 127.0.0.1:11434, loading"),
        (Sight("unhealthy", "cannot be reached"), "127.0.0.1:11434, cannot be reached"),
    ],
)
def test_a_server_is_one_line(sight, line):
    assert told(OLLAMA, sight) == line


def test_a_server_on_loopback_is_relayed_and_another_is_not():
    sight = Sight("healthy", engine="ollama", models=MODELS)

    assert "(loopback only: relayed by this node), 3 models" in told(OLLAMA, sight, relayed=True)
    assert "relayed" not in told("http://192.168.1.5:11434", sight, relayed=True)
