"""The table of metrics in docs/operations.md: `python -m tests.transcript.metrics` writes it."""

import re
from pathlib import Path

from control import metrics as control
from gateway import metrics as gateway

PAGE = Path(__file__).resolve().parents[2] / "docs/operations.md"
BEGIN = "<!-- metrics: made by `python -m tests.transcript.metrics` -->\n"
END = "<!-- end of metrics -->\n"


def table() -> str:
    """Return the rows of all metrics of gateway and control."""
    rows = ["| metric | kind | labels | what it tells |", "| --- | --- | --- | --- |"]
    for family in (*gateway.ALL, *control.ALL):
        labels = ", ".join(f"`{label}`" for label in family.labels)
        rows.append(f"| `{family.shown}` | {family.kind} | {labels} | {family.help} |")
    return "\n".join(rows) + "\n"


def written(page: str) -> str:
    """Return `page` with the table of today."""
    found = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    return found.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
