"""The wheel works away from the checkout, which a source tree would hide."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.conformance.project import ROOT

PACKAGES = ["control", "node", "gateway", "bench", "cli", "geniehive.v1.inventory_pb2"]


def said(command: list[str | Path], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with our wheel; libraries are borrowed, the editable project is not."""
    folder = tmp_path_factory.mktemp("wheel")
    python = sys.executable
    said([python, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT)
    [wheel] = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    [site] = environment.glob("lib/python*/site-packages")
    # A plain path in a .pth file: .pth files over there, ours among them, are not read.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = ["--no-deps", "--no-index", "--disable-pip-version-check"]
    target = ["--python", str(environment / "bin/python")]
    said([python, "-m", "pip", *target, "install", *options, wheel], cwd=folder)
    return environment


def test_the_wheel_brings_every_package(installed):
    lines = [f"import {name}; print({name}.__file__)" for name in PACKAGES]
    code = "\n".join(lines)
    places = said([installed / "bin/python", "-P", "-c", code], cwd=installed).split()

    assert len(places) == len(PACKAGES)
    for path in places:
        assert Path(path).is_relative_to(installed), path


def test_the_command_runs(installed):
    text = said([installed / "bin/geniehive", "--help"], cwd=installed)
    assert "Usage:" in text
    assert "geniehive" in said([installed / "bin/geniehive", "--version"], cwd=installed)
    assert "Usage:" in said([installed / "bin/geniehive-admin", "--help"], cwd=installed)


def test_the_wheel_carries_the_demo_lock(installed):
    [lock] = installed.glob("lib/python*/site-packages/cli/demo.lock")
    assert lock.read_bytes() == (ROOT / "requirements/demo.lock").read_bytes()


def test_the_wheel_carries_the_workloads(installed):
    found = installed.glob("lib/python*/site-packages/bench/workloads/*.yaml")
    ours = (ROOT / "bench/workloads").glob("*.yaml")
    assert sorted(path.name for path in found) == sorted(path.name for path in ours) != []
