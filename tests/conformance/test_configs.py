"""`configs/*.yaml` is the configuration reference: every key, explained, at its default."""

import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from control.api.settings import load
from control.rules.role_section import RoleSection
from tests.conformance.project import ROOT

SERVICES = ["control", "node", "gateway"]

# Kept so that old files get a helpful answer; nobody should write them today.
RETIRED = {"control_plane", "base_url"}


def config(service: str) -> type[BaseModel]:
    found: type[BaseModel] = importlib.import_module(f"{service}.config").Config
    return found


def sections_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the sections that an annotation names, e.g. two for `tuple[A, ...] | B`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [section for one in inner for section in sections_in(one)]


def keys(model: type[BaseModel], document: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and written value of each key, nested ones included.

    The value is `...` where the file does not write the key.
    """
    for name, field in model.model_fields.items():
        written = document.get(name, ...) if isinstance(document, dict) else ...
        yield name, written
        for section in sections_in(field.annotation):
            yield from keys(section, written)


@pytest.mark.parametrize("service", SERVICES)
def test_the_example_loads_and_is_the_default(service):
    model = config(service)
    loaded, warnings = load(ROOT / f"configs/{service}.yaml", model, strict=True)

    assert warnings == []
    assert loaded == model()


@pytest.mark.parametrize("service", SERVICES)
def test_every_key_is_in_the_example(service):
    """As a key at its default; in a comment where the default is computed, or in a list."""
    text = (ROOT / f"configs/{service}.yaml").read_text()
    for name, written in keys(config(service), yaml.safe_load(text)):
        in_a_comment = re.search(rf"# .*\b{name}\b", text)
        assert written is not ... or in_a_comment or name in RETIRED, f"{service}: {name}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_key_is_explained(service):
    """A comment stands above each key, or above the section that it is in."""
    explained = False
    for line in (ROOT / f"configs/{service}.yaml").read_text().splitlines():
        if line.startswith("#"):
            explained = True
        elif not line.strip():
            explained = False
        elif not line.startswith(" "):
            assert explained or line.endswith(":"), f"{service}: {line}"


def test_every_field_of_a_role_is_in_the_example():
    """What a request policy repeats of its role is written once, where it belongs."""
    first = yaml.safe_load((ROOT / "configs/roles-general.yaml").read_text())["roles"][0]
    missing = [name for name, written in keys(RoleSection, first) if written is ...]

    assert missing == ["system_prompt", "reasoning"]
