"""Who may be given a simple subtask, by what is loaded and how soon it answers."""

import pytest

from gateway import offload


@pytest.mark.parametrize(
    ("loaded", "latency_ms", "word"),
    [
        (0, 100, "cold_only"),
        (1, 1_500, "good_for_low_complexity"),
        (1, 1_501, "usable_for_background_tasks"),
        (2, 4_000, "usable_for_background_tasks"),
        (2, 4_001, "available_but_slow"),
        (3, None, "available_but_slow"),
    ],
)
def test_suitability(loaded, latency_ms, word):
    assert offload.suitability(loaded, latency_ms) == word


def test_what_it_is_good_for_is_said_by_operation():
    assert offload.hint("chat", 1, 1)["recommended_for"] == "lower-complexity offload"
    assert offload.hint("embeddings", 1, 1)["recommended_for"] == "embeddings offload"
