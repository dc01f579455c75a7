"""Lists as clients get them: whole, or in pages that lead on to the next one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import quote

import msgspec
from fastapi import Query, Request
from fastapi.responses import Response

from control.api.errors import InvalidValue
from control.api.route_documents import Document
from gateway.steps import Steps, paced

MAX_LIMIT = 1_000  # what control takes
DEFAULT_LIMIT = 100
MAX_TOKEN = 1_000
# A whole list is asked for in pages that are read and made within a few milliseconds.
PAGE = 100
MAX_PAGES = 1_000

M = TypeVar("M")

# Of a page: how many at most, and its token, to what is in it and the token of the next one.
Fetch = Callable[[int, str], Awaitable[tuple[Sequence[M], str]]]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Page:
    """What part of a list is asked for. limit: None for all of it."""

    limit: int | None
    token: str


def page(
    limit: Annotated[int | None, Query(ge=1, le=MAX_LIMIT)] = None,
    page_token: Annotated[str, Query(max_length=MAX_TOKEN)] = "",
) -> Page:
    """Return the part of a list that a request asks for.

    With `limit` a list comes in pages of that many; the header `x-next-page-token` of one
    leads to the next.
    """
    return Page(DEFAULT_LIMIT if page_token and limit is None else limit, page_token)


async def listed(
    request: Request, asked: Page, fetch: Fetch[M], described: Callable[[M], Document]
) -> Response:
    """Return what was `asked` for, as JSON."""
    if asked.limit is None:
        # Page by page: messages take ten times the memory of what is made of them.
        lines = [one async for part in pages(fetch) for one in await paced(_lines(described, part))]
        return Response(joined(lines), media_type="application/json")
    messages, following = await fetch(asked.limit, asked.token)
    answer = json(await paced(as_list(described, messages)))
    if following:
        query = request.url.include_query_params(limit=asked.limit, page_token=following).query
        answer.headers["x-next-page-token"] = following
        path = quote(request.scope["path"])  # relative: who stands before us knows our name
        answer.headers["link"] = f'<{path}?{query}>; rel="next"'
    return answer


async def everything(fetch: Fetch[M]) -> list[M]:
    """Return what is in all pages. Raises as `pages`."""
    return [one async for part in pages(fetch) for one in part]


async def pages(fetch: Fetch[M]) -> AsyncIterator[Sequence[M]]:
    """Yield all pages.

    Raises:
        InvalidValue: there are more than one answer should hold.
    """
    token = ""
    for _ in range(MAX_PAGES):
        messages, token = await fetch(PAGE, token)
        yield messages
        if not token:
            return
    raise InvalidValue(
        f"there are more than {MAX_PAGES * PAGE:,}; ask for pages of at most {MAX_LIMIT:,}",
        param="limit",
    )


def as_list(described: Callable[[M], Document], messages: Iterable[M]) -> Steps[msgspec.Raw]:
    """Return a list as JSON, made one by one: for 10,000 services that takes half a second."""
    return msgspec.Raw(joined((yield from _lines(described, messages))))


def _lines(described: Callable[[M], Document], messages: Iterable[M]) -> Steps[list[bytes]]:
    items = []
    for one in messages:
        items.append(_encode(described(one)))
        yield
    return items


def joined(items: Iterable[bytes], begin: bytes = b"[", end: bytes = b"]") -> bytes:
    """Return a list of what is JSON already. It is copied once: it may have megabytes."""
    parts = list(items) or [b""]
    parts[0] = begin + parts[0]
    parts[-1] += end
    return b",".join(parts)


def json(content: object) -> Response:
    """Return an answer."""
    return Response(_encode(content), media_type="application/json")
