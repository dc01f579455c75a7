"""Settings that are one of several words; another one is refused with the nearest of them."""

import difflib
from collections.abc import Callable, Iterable

MAX_SHOWN = 100  # characters


def one_of(kind: str, words: Iterable[str]) -> Callable[[object], object]:
    """Return what refuses any text but `words`; what is no text is left to pydantic.

    kind: what the words are.
    """
    names = list(words)

    def check(value: object) -> object:
        if isinstance(value, str) and value not in names:
            shown = value[:MAX_SHOWN]
            nearest = difflib.get_close_matches(shown, names, n=1)
            hint = f"; nearest: {nearest[0]}" if nearest else ""
            raise ValueError(f"no {kind} {shown!r}{hint}; there are {', '.join(names)}")
        return value

    return check
