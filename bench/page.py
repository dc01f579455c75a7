"""Where the figures of a comparison go: a file of results, and the page of the documentation."""

from pathlib import Path

from bench import marks, plot, tables
from bench.peers import ROOT
from bench.results import Results
from cli.output import USAGE, Failure

MARK = "made by `make bench`"
DOCS = ROOT / "docs"
FIGURES, PICTURE, PAGE = "performance.json", "performance.svg", "performance.md"
KEPT = Path("build", "bench")  # in the current folder


def keep(results: Results, folder: Path = KEPT) -> Path:
    """Write the figures to a file of their own and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"compare-{results.when.replace(' ', '-').replace(':', '')}.json"
    results.write(path)
    return path


def publish(results: Results, docs: Path = DOCS) -> None:
    """Write figures, plot and tables into the documentation.

    Raises:
        Failure: there is no such page, as away from a checkout.
    """
    if not (docs / PAGE).exists():
        raise Failure(f"there is no {docs / PAGE}: it is published in a checkout", USAGE, "page")
    results.write(docs / FIGURES)
    (docs / PICTURE).write_text(plot.draw(results))
    page = docs / PAGE
    page.write_text(filled(page.read_text(), tables.render(results)))


def filled(page: str, text: str) -> str:
    """Return `page` with `text` between its marks.

    Raises:
        ValueError: it has no marks.
    """
    return marks.filled(page, MARK, text)
