"""Text that others wrote and people will read, in terminals and logs."""

import unicodedata

# Line and paragraph separators, controls, and what turns the direction of text around.
_UNPRINTABLE = {"Cc", "Zl", "Zp", "Cs"}
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def unprintable(text: str) -> str | None:
    """Return the first character that may not be shown, or None."""
    # The common case first: the interpreter scans ASCII faster than any loop.
    if text.isascii() and text.isprintable():
        return None
    return next((c for c in text if c in _BIDI or unicodedata.category(c) in _UNPRINTABLE), None)


def printable(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, unshowable ones replaced by a space."""
    text = text[:limit]
    if unprintable(text) is None:
        return text
    return "".join(" " if unprintable(c) else c for c in text)
