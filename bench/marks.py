"""Parts of pages that commands write, between marks that readers do not see."""

END = "<!-- end -->"


def filled(page: str, mark: str, text: str) -> str:
    """Return `page` with `text` between a mark and the next end.

    Raises:
        ValueError: it does not have that mark once, and an end behind it.
    """
    begin = f"<!-- {mark}: begin -->"
    before, rest = page.split(begin)
    _, after = rest.split(END, 1)
    return f"{before}{begin}\n\n{text}\n\n{END}{after}"
