"""Every incident with a test is in the table, and every one in the table has a test."""

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_the_table_names_the_files():
    shown, _ = (HERE / "README.md").read_text().split("## Later")
    rows = re.findall(r"^\| (\w+) ([\w, ]+) \|", shown, re.MULTILINE)
    told = {f"{project}_{number}" for project, ones in rows for number in ones.split(", ")}
    files = {path.stem.removeprefix("test_") for path in HERE.glob("test_*_*.py")}

    assert told == files
