"""Text that others wrote and people will read, in terminals and logs."""

import re

# Controls, line and paragraph separators, halves of characters, and what turns the direction
# of text around.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def unprintable(text: str) -> str | None:
    """Return the first character that may not be shown, or None."""
    found = _UNPRINTABLE.search(text)
    return found[0] if found else None


def printable(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, unshowable ones replaced by a space."""
    return _UNPRINTABLE.sub(" ", text[:limit])
