"""ggml-org/llama.cpp#20227: whoever watched a model kept it awake.

Its `/metrics` restarts the clock after which a model falls asleep, and any question for
its `/slots` does. Nodes ask a router for the metrics of no model that is to fall asleep;
a server of one model does not show that, and falls asleep without `--metrics`.
"""

import time
from pathlib import Path

import httpx
import pytest

from node.engines.detect import look
from node.engines.http import new_client
from tests.integration.conftest import DEMO_MODEL, start_llama_server

BOUND_S = 30.0
LOOKS = 10  # at one that sleeps


def alone(folder: Path) -> dict:
    return {"options": ("-m", str(DEMO_MODEL), "--alias", "small"), "metrics": False}


def routed(folder: Path) -> dict:
    (folder / "models").mkdir()
    (folder / "models" / "small.gguf").symlink_to(DEMO_MODEL)
    return {"options": ("--models-dir", str(folder / "models")), "metrics": True}


@pytest.mark.anyio
@pytest.mark.parametrize("way", [alone, routed])
async def test_a_model_falls_asleep_while_it_is_watched(way, tmp_path):
    how = way(tmp_path)
    options = (*how["options"], "-c", "512", "--sleep-idle-seconds", "1")
    service = start_llama_server(tmp_path / "llama.log", *options, metrics=how["metrics"])
    asleep = 0
    try:
        url = f"http://127.0.0.1:{service.port()}"
        body = {"model": "small", "prompt": "Hi", "max_tokens": 1}
        async with httpx.AsyncClient(trust_env=False) as user:
            await user.post(f"{url}/v1/completions", json=body, timeout=BOUND_S)
        async with new_client() as client:
            deadline = time.monotonic() + BOUND_S
            while asleep < LOOKS:
                assert time.monotonic() < deadline, "it never fell asleep"
                sight = await look(client, url, None)
                if sight.silent or sight.models is None:
                    continue  # a busy machine: nothing is told
                (model,) = sight.models
                assert sight.health == "healthy"
                assert asleep == 0 or not model.loaded, "it was woken up"
                asleep += not model.loaded
    finally:
        service.stop()
