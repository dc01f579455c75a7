"""Gateways of others, each in an environment of its own, from the user's own package index."""

import re
import subprocess
import venv
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "bench" / "peers"
INSTALL_SECONDS = 600.0


class Missing(Exception):
    """A program that cannot be had here; the message says why, and what to do."""


def installed(name: str) -> Path:
    """Return the interpreter of the environment that holds a peer, made when it is not there.

    Raises:
        Missing: it cannot be installed.
    """
    lock = _lock(name)
    folder = FOLDER / name
    python, stamp = folder / "bin" / "python", folder / "installed.lock"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return python
    click.echo(f"installing {name} into {folder.relative_to(ROOT)}", err=True)
    venv.create(folder, clear=True, with_pip=True, symlinks=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    command = [*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Missing(f"not installed within {INSTALL_SECONDS:.0f} s") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise Missing(said[-1] if said else f"pip ended with {done.returncode}")
    stamp.write_bytes(lock.read_bytes())
    return python


def locked_version(name: str) -> str:
    """Return the version of a peer that its lock names."""
    found = re.search(rf"^{name}==([^ ;\\]+)", _lock(name).read_text(), re.MULTILINE)
    assert found, f"{name} is not in its lock"
    return found[1]


def _lock(name: str) -> Path:
    path = ROOT / "requirements" / f"bench-{name}.lock"
    if not path.exists():
        raise Missing(f"{path.name} is not here: peers are compared in a checkout only")
    return path
