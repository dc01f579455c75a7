"""The checkout, as the rules about it see it."""

import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NO_TEXT = {".ogg"}


@cache
def files() -> tuple[Path, ...]:
    """Return every file under version control, symbolic links left out."""
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return tuple(path for path in paths if path.is_file() and not path.is_symlink())


def texts(*suffixes: str) -> Iterator[tuple[Path, str]]:
    """Yield path and content of every file with one of these suffixes; of all without any.

    What is no text, as speech for a test, is left out.
    """
    for path in files():
        if path.suffix not in NO_TEXT and (not suffixes or path.suffix in suffixes):
            yield path, path.read_text(encoding="utf-8")


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))
