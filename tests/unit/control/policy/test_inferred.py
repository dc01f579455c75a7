"""Which names tell of a model that thinks aloud."""

import pytest

from control.policy.inferred import QWEN3, inferred
from tests.unit.control.builders import asset


@pytest.mark.parametrize(
    "name",
    [
        "Qwen3-8B",
        "qwen3.5-9b",
        "QWEN_3",
        "q-wen3",
        "qwen30b",
        "qwen3:14b",
        "qwen3:latest",
        "Qwen/Qwen3-8B",
        "Qwen/Qwen3-30B-A3B-Instruct-2507-FP8",
        "hf.co/unsloth/Qwen3-8B-GGUF:Q4_K_M",
        "Qwen_Qwen3-8B-Q4_K_M.gguf",
        "qwen3-8b-q4km",
        "/models/qwen3-0.6b.gguf",
        r"C:\models\Qwen3-4B.gguf",
        "host/chat/qwen3",
    ],
)
def test_names_of_the_line_are_known(name):
    assert inferred(asset(name)) == QWEN3
    assert inferred(asset("chat-model", family=name)) == QWEN3


@pytest.mark.parametrize(
    "name",
    [
        "",
        "qwen",
        "qwen2.5-3b",
        "Qwen/Qwen2.5-Coder-32B",
        "my-qwen3",
        "deepseek-r1-distill-qwen3",
        "qwen3/mistral-7b",
        "llama-3",
        "3",
        "通义千问3",
    ],
)
def test_other_names_are_not(name):
    assert inferred(asset(name or "m", family=name)) is None


def test_the_family_is_not_needed_to_know_the_asset():
    assert inferred(asset("qwen3:8b", family="Qwen")) == QWEN3
