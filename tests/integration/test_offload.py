"""docs/examples/offload.py picks a model by the list alone, and is answered."""

import json
import runpy
import subprocess
import sys

import httpx
import pytest

from gateway import offload
from tests.integration.conftest import ROOT
from tests.processes import START_SECONDS, wait_until
from tests.transcript.operations import small_cluster

EXAMPLE = ROOT / "docs/examples/offload.py"
PAGE = ROOT / "docs/offload.md"

pick = runpy.run_path(str(EXAMPLE))["pick"]


def model(name, kind, loaded, latency_ms, services=("h/s",)):
    hint = offload.hint("chat", loaded, latency_ms)
    told = {"route_type": kind, "services": list(services), "offload_hint": hint}
    return {"id": name, "geniehive": told}


@pytest.mark.parametrize(
    ("models", "picked"),
    [
        ([], None),
        ([model("a", "role", 1, 100, services=())], None),
        ([{"id": "a", "geniehive": {"route_type": "asset", "services": ["h/s"]}}], None),
        ([model("cold", "role", 0, 100), model("slow", "service", 1, 9_000)], "slow"),
        ([model("late", "role", 1, 1_501), model("soon", "service", 1, 1_500)], "soon"),
        ([model("h/s", "service", 1, 10), model("role", "role", 1, 1_000)], "role"),
        ([model("b", "role", 1, 200), model("c", "role", 1, 100)], "c"),
        ([model("b", "role", 1, None), model("c", "role", 1, 5_000)], "c"),
    ],
)
def test_the_best_suited_is_picked_then_a_role_then_the_fastest(models, picked):
    found = pick(models)
    assert (found and found["id"]) == picked


def test_a_program_that_knows_only_the_address_is_answered():
    """By a role that got quick: what gateways measure of streams is what is told."""
    with small_cluster() as (_, url), httpx.Client(base_url=url, trust_env=False) as client:

        def suitability() -> str:
            answer = client.get("/v1/models/mentor")
            hint = answer.json().get("geniehive", {}).get("offload_hint", {})
            return str(hint.get("suitability"))

        wait_until(lambda: suitability() == "available_but_slow", START_SECONDS, "it is loaded")
        body = {"model": "mentor", "messages": [], "stream": True}
        for _ in range(3):
            client.post("/v1/chat/completions", json=body).raise_for_status()
        wait_until(lambda: suitability() == "good_for_low_complexity", START_SECONDS, "it is quick")
        ended = subprocess.run(
            [sys.executable, str(EXAMPLE), url, "Say hello"],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            env={"no_proxy": "*"},
        )

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == "mentor (good_for_low_complexity)\n"
    assert ended.stdout.strip()


def test_the_page_has_the_words_and_bounds_of_the_code():
    page = PAGE.read_text()
    example = json.loads(page.split("```json\n")[1].split("```")[0])

    assert example == offload.hint("chat", 1, 412.0)
    for latency_ms in (offload.GOOD_MS, offload.USABLE_MS):
        assert f"| `{offload.suitability(1, latency_ms)}` |" in page
        assert f"{latency_ms:,} ms" in page
    assert f"| `{offload.suitability(1, None)}` |" in page
    assert f"| `{offload.suitability(0, 1.0)}` |" in page
