"""Real faster-whisper beside a node: it is found, offered for transcription and nothing else.

Part of `make test-all`, which fetches it.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from geniehive.v1 import inventory_pb2 as inventory

from tests.chaos.calls import calling
from tests.integration.cluster import running_cluster
from tests.integration.conftest import ROOT
from tests.processes import START_SECONDS, Service, wait_until

SPEECH = ROOT / ".venv/speech"
AUDIO = Path(__file__).parent / "audio/fox.ogg"
SAID = {"the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog"}
ENOUGH = 0.7  # of the words: a small model misses an ending now and then


@pytest.fixture
def whisper(tmp_path) -> Iterator[str]:
    """The address of the server, with its model loaded."""
    if not (SPEECH / ".stamp").exists():
        pytest.skip("faster-whisper is not there; make test-all fetches it")
    folder = tmp_path / "weights"
    folder.mkdir()
    environment = {"PYTHONPATH": str(SPEECH), "HF_HUB_OFFLINE": "1"}
    arguments = ["tests.integration.whisper_engine", str(folder)]
    service = Service(arguments, tmp_path / "whisper.log", environment)
    try:
        yield f"http://127.0.0.1:{service.port()}"
    finally:
        service.kill()


def test_speech_is_offered_as_such_and_understood(whisper, tmp_path):
    services = [{"service_id": "ears", "endpoint": whisper, "kind": "transcription"}]
    with running_cluster(tmp_path, services) as cluster, calling(cluster.control.port()) as calls:
        wait_until(
            lambda: any(len(one.assets) for one in calls.services()), START_SECONDS, "it is listed"
        )
        (service,) = calls.services()
        (asset,) = service.assets

        assert asset.asset_id == "whisper-base"
        assert list(asset.operations) == [inventory.OPERATION_TRANSCRIPTION]
        assert service.observation.health == inventory.HEALTH_HEALTHY
        assert transcribed(whisper, asset.asset_id) >= ENOUGH


def transcribed(url: str, model: str) -> float:
    """Return which share of the words is understood."""
    begin = time.monotonic()
    answer = httpx.post(
        f"{url}/v1/audio/transcriptions",
        data={"model": model},
        files={"file": ("fox.ogg", AUDIO.read_bytes())},
        timeout=60.0,
        trust_env=False,
    )
    print(f"\n  {answer.text!r} after {time.monotonic() - begin:.1f} s")
    heard = {word.strip(".,").lower() for word in answer.text.split()}
    return len(SAID & heard) / len(SAID)
