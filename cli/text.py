"""Words and columns for people."""

from collections.abc import Callable, Collection, Sequence

from rich.cells import cell_len

from cli.output import clean

GAP = "  "


def age(seconds: float) -> str:
    """Return a span in its largest unit: `2s`, `4m`, `3h`, `2d`. Below zero is zero."""
    whole = max(int(seconds), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def gigabytes(size: float) -> str:
    """Return bytes as decimal gigabytes: `9.1 GB`."""
    return f"{size / 1e9:.1f} GB"


def plural(number: int, noun: str) -> str:
    """Return `1 model`, `2 models`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class Table:
    """Columns of text with two spaces between them.

    right: titles of the columns whose numbers stand on the right.
    """

    def __init__(self, titles: Sequence[str], right: Collection[str] = ()) -> None:
        self._titles = list(titles)
        self._right = frozenset(right)
        self._rows: list[tuple[tuple[int | str, ...], list[str], str | None]] = []

    def add(
        self, order: tuple[int | str, ...], cells: Sequence[str], color: str | None = None
    ) -> None:
        """Add a row; rows come in `order`, and cells lose their control characters."""
        self._rows.append((order, [clean(cell) for cell in cells], color))

    def text(
        self, paint: Callable[[str, str], str] | None = None, painted: str | None = None
    ) -> str:
        """Return all lines. paint: colours the cells of the column `painted`."""
        rows = sorted(self._rows, key=lambda row: row[0])
        columns = zip(self._titles, *(cells for _, cells, _ in rows), strict=True)
        widths = [max(map(cell_len, column)) for column in columns]
        lines = [self._line(self._titles, widths)]
        place = self._titles.index(painted) if painted else -1
        for _, cells, color in rows:
            shade = (place, color, paint) if color and paint else None
            lines.append(self._line(cells, widths, shade))
        return "\n".join(lines)

    def _line(
        self,
        cells: Sequence[str],
        widths: Sequence[int],
        shade: tuple[int, str, Callable[[str, str], str]] | None = None,
    ) -> str:
        padded = []
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            shown = shade[2](cell, shade[1]) if shade and shade[0] == place else cell
            on_right = self._titles[place] in self._right
            padded.append(f"{space}{shown}" if on_right else f"{shown}{space}")
        return GAP.join(padded).rstrip()
