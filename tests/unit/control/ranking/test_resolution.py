import time

from control.inventory import Operation
from control.ranking.candidates import Candidate
from control.ranking.resolution import Found, Mismatch, Unknown, Unserved, resolve
from control.ranking.roles import Role

BEST = Candidate("h/s", "qwen3:14b", loaded=True)
TARGETS = {
    "chat": {"qwen3:14b": (BEST,), "qwen3:8b": (), "llama": (BEST,)},
    "embeddings": {"minilm": (BEST,)},
}


def test_a_served_name_gives_its_candidates():
    assert resolve("qwen3:14b", "chat", TARGETS) == Found((BEST,))


def test_a_known_name_that_nobody_serves_is_not_unknown():
    assert resolve("qwen3:8b", "chat", TARGETS) == Unserved()


def test_a_name_of_another_operation_is_a_mismatch():
    assert resolve("minilm", "chat", TARGETS) == Mismatch(["embeddings"])


def test_an_unknown_name_comes_with_near_ones_of_the_same_operation():
    assert resolve("qwen3:14", "chat", TARGETS) == Unknown(["qwen3:14b", "qwen3:8b"])
    assert resolve("zzz", "chat", TARGETS) == Unknown([])
    assert resolve("minilm", "transcription", TARGETS) == Mismatch(["embeddings"])


def test_a_role_is_served_by_itself_or_by_the_first_that_can_stand_in():
    roles = {
        "mentor": Role("mentor", Operation.CHAT, stand_ins=("tutor", "helper")),
        "tutor": Role("tutor", Operation.CHAT),
        "helper": Role("helper", Operation.CHAT),
        "finder": Role("finder", Operation.EMBEDDINGS),
    }
    served = {"chat": {"mentor": (), "tutor": (), "helper": (BEST,), "llama": (BEST,)}}
    first = {"chat": {"mentor": (BEST,), "helper": (BEST,)}}

    assert resolve("mentor", "chat", first, roles) == Found((BEST,), "mentor")
    assert resolve("mentor", "chat", served, roles) == Found((BEST,), "helper")
    assert resolve("tutor", "chat", served, roles) == Unserved()
    assert resolve("llama", "chat", served, roles) == Found((BEST,))
    assert resolve("finder", "chat", served, roles) == Mismatch(["embeddings"])
    assert resolve("finder", "embeddings", served, roles) == Unserved()


def test_near_names_are_found_quickly_among_many():
    targets = {"chat": {f"model-{n}": (BEST,) for n in range(20_000)}}
    started = time.perf_counter()
    resolve("model-1x" * 1_000, "chat", targets)

    assert time.perf_counter() - started < 1.0
