"""Columns of text for people."""

import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import rich.table
from rich.console import Console
from rich.text import Text

from cli.output import clean

GAP = 2
UNBOUNDED = 1_000_000  # cells; rich knows no table without a width


@dataclass(frozen=True, slots=True)
class Row:
    """Cells and where they stand among the others: rows come in `order`."""

    order: tuple[int | str, ...]
    cells: Sequence[str]
    color: str = ""


def table(
    titles: Sequence[str],
    rows: Iterable[Row],
    *,
    numbers: Collection[str] = (),
    colored: str = "",
    width: int | None = None,
) -> str:
    """Return the lines of a table; cells lose their control characters.

    numbers: titles of the columns that stand on the right and are never wrapped.
    colored: the column whose cells have the colour of their row; none gets any without it.
    width: of the terminal in cells, where text wraps; None: every row is one line.
    """
    drawn = rich.table.Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="")
    for title in titles:
        number = title in numbers
        drawn.add_column(
            title,
            justify="right" if number else "left",
            no_wrap=number or width is None,
            overflow="fold",
        )
    for row in sorted(rows, key=lambda row: row.order):
        drawn.add_row(
            *(
                # As a span, so that the padding gets no colour.
                Text.assemble((clean(cell), row.color if title == colored else ""))
                for title, cell in zip(titles, row.cells, strict=True)
            )
        )
    out = io.StringIO()
    console = Console(
        file=out,
        width=width or UNBOUNDED,
        force_terminal=True,  # whether there is colour is decided here, not by the environment
        color_system="standard" if colored else None,
        no_color=not colored,
        legacy_windows=False,
    )
    console.print(drawn)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
