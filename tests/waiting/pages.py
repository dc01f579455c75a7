"""Where on docs/routing.md stands what was measured."""

from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/routing.md"
END = "<!-- end -->"


def replaced(page: str, mark: str, text: str) -> str:
    """Return `page` with `text` at a mark."""
    begin = f"<!-- {mark}: begin -->"
    before, rest = page.split(begin)
    _, after = rest.split(END, 1)
    return f"{before}{begin}\n\n{text}\n\n{END}{after}"
