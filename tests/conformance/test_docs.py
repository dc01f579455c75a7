"""What the documents say of the code is true."""

import re
from pathlib import Path

import pytest

from control.api.errors import BY_CODE
from tests.conformance.project import ROOT, place, texts

README = (ROOT / "README.md").read_text()
DOCUMENTS = [path for path, _ in texts(".md")]
MADE_BY_MAKE = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)


def error_rows() -> dict[str, list[str]]:
    """Return the codes of each row of the error table, by its statuses."""
    table = README.split("## Errors")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (\d[\d, ]+) \| ([^|]+) \|", table, re.MULTILINE)
    return {statuses: re.findall(r"`(\w+)`", codes) for statuses, codes in rows}


def test_every_error_code_is_in_the_table_at_its_status():
    told = {code: statuses for statuses, codes in error_rows().items() for code in codes}

    assert told.keys() == BY_CODE.keys()
    for code, error in BY_CODE.items():
        assert str(error.http) in told[code].split(", "), code


def test_the_readme_opens_with_the_two_commands():
    first = re.search(r"```sh\n(.*?)```", README, re.DOTALL)
    assert first
    commands = [line.split("#")[0].strip() for line in first[1].splitlines()]
    assert commands == ["make run", "make test"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=place)
def test_every_make_target_named_exists(path: Path):
    for target in re.findall(r"`make ([a-z-]+)", path.read_text()):
        assert target in MADE_BY_MAKE, target


@pytest.mark.parametrize("path", DOCUMENTS, ids=place)
def test_every_link_inside_the_project_leads_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target
