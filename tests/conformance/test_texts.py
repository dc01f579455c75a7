"""What is committed says nothing of the machine it was written on, and holds no secret."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance.project import ROOT, place, texts

# Parts of words are put together here, so that this file does not find itself.
MACHINE_PATH = re.compile("/(?:ro" + "ot|ho" + "me|Us" + "ers|wo" + "rk)/[a-z]")
REGISTRY_HOST = re.compile("py" + r"pi\.org|python" + r"hosted\.org|npm" + r"js\.(?:org|com)")
SECRET_KEY = re.compile(r"(?:key|keys|secret|token|password)$")


def test_no_file_names_a_path_of_a_developers_machine():
    found = [place(path) for path, text in texts() if MACHINE_PATH.search(text)]
    assert found == []


def test_no_file_names_a_registry():
    """Packages come from wherever the user's own configuration says."""
    found = [place(path) for path, text in texts() if REGISTRY_HOST.search(text)]
    assert found == []


def entries(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key of a YAML document, at any depth, and its value."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield str(key), value
            yield from entries(value)
    elif isinstance(document, list):
        for item in document:
            yield from entries(item)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=place)
def test_configs_hold_no_secret(path: Path):
    for key, value in entries(yaml.safe_load(path.read_text())):
        if SECRET_KEY.search(key) and not isinstance(value, dict):
            assert not value, f"{place(path)}: {key}"


def test_lines_end_in_one_newline():
    for path, text in texts(".py", ".md", ".yaml", ".toml", ".proto", ".json"):
        assert "\r" not in text, place(path)
        assert not text or text.endswith("\n"), place(path)
