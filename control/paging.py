"""Pages of lists, and the tokens that lead from one to the next. Pure.

A token holds where its page ended and which question it answers: the list, and what it
was filtered by. What comes or goes between two pages neither repeats nor hides anything
else, and a token of another question is refused instead of leading somewhere.
"""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from control.api.errors import InvalidValue

DEFAULT_SIZE = 100
MAX_SIZE = 1_000
MAX_TOKEN = 4_000  # characters; a position has some hundred
_PREFIX = "p1"  # of what a token holds; another one when that changes
_QUESTION_BYTES = 6


@dataclass(frozen=True, slots=True)
class Page:
    """The page that is asked for: at most `size`, 1 to 1,000, of what comes after `after`.

    after: position of the last one of the page before, empty for the first page.
    question: which list, filtered by what; a digest.
    """

    size: int
    after: str
    question: str

    def token(self, last: str) -> str:
        """Return the token of the page after this one. last: position of its last one."""
        text = f"{_PREFIX}:{self.question}:{last}"
        return base64.urlsafe_b64encode(text.encode()).decode()

    def cut(self, ids: Sequence[str]) -> tuple[Sequence[str], str]:
        """Return the page of `ids`, which are sorted, and the next token, empty at the end."""
        start = bisect_right(ids, self.after) if self.after else 0
        page = ids[start : start + self.size]
        more = start + len(page) < len(ids)
        return page, self.token(page[-1]) if more else ""


def asked(listing: str, filters: Sequence[object], size: int, token: str) -> Page:
    """Return the page that a request asks for.

    listing: name of the list, e.g. `services`. filters: what it is filtered by, always in
    the same order; plain values. size: 0 to 1,000, 0 for 100. token: empty for the first page.

    Raises:
        InvalidValue: the size is out of range, or the token is no token or of another question.
    """
    if not 0 <= size <= MAX_SIZE:
        raise InvalidValue(f"page_size {size} is not 0 to {MAX_SIZE}", param="page_size")
    question = _question(listing, filters)
    return Page(size or DEFAULT_SIZE, _position(token, question) if token else "", question)


def _question(listing: str, filters: Sequence[object]) -> str:
    asked_for = repr((listing, *filters)).encode(errors="backslashreplace")
    return blake2b(asked_for, digest_size=_QUESTION_BYTES).hexdigest()


def _position(token: str, question: str) -> str:
    prefix, answered, position = _parts(token)
    if prefix != _PREFIX or not position:
        raise InvalidValue("page_token is not one of ours", param="page_token")
    if answered != question:
        raise InvalidValue(
            "page_token is of another list, or of other filters; ask without it for the first page",
            param="page_token",
        )
    return position


def _parts(token: str) -> tuple[str, str, str]:
    if len(token) > MAX_TOKEN:
        return "", "", ""
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return "", "", ""
    prefix, _, rest = text.partition(":")
    answered, _, position = rest.partition(":")
    return prefix, answered, position
