"""The answers in docs/operations.md are those that grpcurl gets."""

import shutil
import sys
from pathlib import Path

from tests.integration.conftest import missing
from tests.transcript.operations import EXAMPLE, PAGE, made, running


def test_grpcurl_says_what_the_page_shows():
    """`python -m tests.transcript.operations` writes the page anew."""
    if shutil.which("grpcurl", path=str(Path(sys.executable).parent)) is None:
        missing("grpcurl is not in the environment of the tests")
    page = PAGE.read_text()
    with running() as control:
        found = made(page, control)

    assert found.splitlines() == page.splitlines()


def test_every_view_of_the_cluster_is_on_the_page():
    commands = " ".join(found["command"] for found in EXAMPLE.finditer(PAGE.read_text()))

    for view in ("Hosts", "Services", "Inventory", "Role", "Benchmark", "Match", "Health"):
        assert view in commands
