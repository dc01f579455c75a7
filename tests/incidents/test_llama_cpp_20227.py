"""ggml-org/llama.cpp#20227: whoever watched a model kept it awake.

Its `/metrics` restarts the clock after which a model falls asleep, and any question for
its `/slots` does. A server without `--metrics` falls asleep and stays so, however often a
node looks.
"""

import time

import httpx
import pytest

from node.engines.detect import look
from tests.integration.conftest import DEMO_MODEL, start_llama_server

SLEEP_AFTER_S = 1
BOUND_S = 30.0
LOOKS = 10


@pytest.mark.anyio
async def test_a_model_falls_asleep_while_it_is_watched(tmp_path):
    options = ("-m", str(DEMO_MODEL), "-c", "512", "-np", "1")
    sleeps = ("--sleep-idle-seconds", str(SLEEP_AFTER_S))
    service = start_llama_server(tmp_path / "llama.log", *options, *sleeps, metrics=False)
    try:
        url = f"http://127.0.0.1:{service.port()}"
        deadline = time.monotonic() + BOUND_S
        async with httpx.AsyncClient(trust_env=False) as client:
            asleep = 0
            while asleep < LOOKS:
                assert time.monotonic() < deadline, "it never fell asleep"
                sight = await look(client, url, None)
                (model,) = sight.models or ()
                assert sight.health in {"healthy", "loading"}
                assert asleep == 0 or not model.loaded, "it was woken up"
                asleep += not model.loaded
    finally:
        service.stop()
