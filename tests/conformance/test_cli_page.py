"""What the page about the command promises to programs is what the command does."""

import re

from cli import output
from tests.conformance.project import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text()
# The calls that print a document: `output.document("status", ...)` and what stands for them.
PRINTED = re.compile(r"(?:\.document\(|_print\(\s*output,|_tell\(output,)\s*\"(\w+)\"")


def test_every_schema_that_is_printed_has_its_row():
    told = re.findall(r"`geniehive\.(\w+)/1`", PAGE)
    folders = [ROOT / "cli", ROOT / "bench"]
    code = "".join(path.read_text() for one in folders for path in sorted(one.rglob("*.py")))

    assert len(told) == len(set(told))
    assert set(told) == set(PRINTED.findall(code))


def test_every_exit_code_has_its_row():
    told = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    codes = {
        value
        for name, value in vars(output).items()
        if name.isupper() and isinstance(value, int) and not isinstance(value, bool)
    }
    assert set(map(int, told)) == codes | {0}
