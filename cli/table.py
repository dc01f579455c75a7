"""Columns of text for people."""

import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import click
import rich.table
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from cli.output import clean

GAP = 2


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
    found = sorted(rows, key=lambda row: row.order)
    cells = [[*map(clean, row.cells)] for row in found]
    colors = [[row.color if title == colored else "" for title in titles] for row in found]
    widths = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    if width is not None and sum(widths) + GAP * (len(widths) - 1) > width:
        return _wrapped(titles, cells, colors, numbers, width)
    # rich takes a third of a second for a thousand rows, which nobody wants each second.
    right = [title in numbers for title in titles]
    lines = [_line(titles, [""] * len(titles), widths, right)]
    lines += [_line(*row, widths, right) for row in zip(cells, colors, strict=True)]
    return "\n".join(lines)


def _line(
    cells: Sequence[str], colors: Sequence[str], widths: Sequence[int], right: Sequence[bool]
) -> str:
    parts = []
    for cell, color, width, on_the_right in zip(cells, colors, widths, right, strict=True):
        # Beside the words, so that the padding gets no colour.
        room = " " * (width - cell_len(cell))
        shown = click.style(cell, fg=color) if color else cell
        parts.append(f"{room}{shown}" if on_the_right else f"{shown}{room}")
    return (" " * GAP).join(parts).rstrip()


def _wrapped(
    titles: Sequence[str],
    cells: Sequence[Sequence[str]],
    colors: Sequence[Sequence[str]],
    numbers: Collection[str],
    width: int,
) -> str:
    drawn = rich.table.Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="")
    for title in titles:
        number = title in numbers
        drawn.add_column(
            title, justify="right" if number else "left", no_wrap=number, overflow="fold"
        )
    for row in zip(cells, colors, strict=True):
        # As spans, so that the padding gets no colour.
        drawn.add_row(*(Text.assemble(both) for both in zip(*row, strict=True)))
    out = io.StringIO()
    is_colored = any(map(any, colors))
    console = Console(
        file=out,
        width=width,
        force_terminal=True,  # whether there is colour is decided here, not by the environment
        color_system="standard" if is_colored else None,
        no_color=not is_colored,
        legacy_windows=False,
    )
    console.print(drawn)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
