"""What `GET /v1/models` answers: which names there are is for the routes to say."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.known import Entry, Known
from gateway.listing import joined
from gateway.model_items import Facts, Named, RouteType, line, named, sources
from gateway.routes import Routes
from gateway.steps import Steps, freed, paced


@dataclass(frozen=True, slots=True)
class _Item:
    """An entry of the list, and all that it was made of."""

    named: Named
    sources: tuple[Entry[Any] | None, ...]
    json: bytes


class Models:
    """The list of all models as JSON. Only entries that may be others are made again."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._made_of: tuple[int, Known] | None = None  # state of the routes, and what was known
        self._items: Mapping[str, _Item] = {}
        self._all: bytes | None = None  # the whole list, when it was asked for
        self._turn = asyncio.Lock()

    async def listed(
        self, known: Known, kind: RouteType | None = None, operation: str | None = None
    ) -> bytes:
        """Return the list, of a kind or for an operation only where it is told."""
        async with self._turn:
            return await paced(self.listing(known, kind, operation))

    def listing(
        self, known: Known, kind: RouteType | None = None, operation: str | None = None
    ) -> Steps[bytes]:
        """Return the list in steps; one after the other."""
        # Routes that change meanwhile have another state, and the next list is made of them.
        state = self._routes.changes, known
        if self._made_of is None or self._made_of[0] != state[0] or self._made_of[1] is not known:
            self._items = yield from self._followed(known)
            self._all = None
            before = list(self._made_of[1].services.values()) if self._made_of is not None else []
            self._made_of = state
            yield from freed(before)
        if kind is not None or operation is not None:
            return _list(
                one.json
                for one in self._items.values()
                if kind in (None, one.named.kind)
                and (operation is None or operation in one.named.operations)
            )
        if self._all is None:
            self._all = _list(one.json for one in self._items.values())
        return self._all

    def _followed(self, known: Known) -> Steps[dict[str, _Item]]:
        same_routes = self._made_of is not None and self._made_of[0] == self._routes.changes
        names = list(self._items) if same_routes else self._routes.names()
        found: dict[str, _Item] = {}
        for service in known.services.values():
            service.facts(Facts)  # one by one: the entry of a name may need those of thousands
            yield
        for name in names:
            last = self._items.get(name)
            item = last.named if same_routes and last is not None else named(self._routes, name)
            if item is not None:
                told = sources(item, known)
                if last is None or last.named != item or last.sources != told:
                    last = _Item(item, told, line(item, known))
                found[name] = last
            yield
        return found


def _list(items: Iterable[bytes]) -> bytes:
    return joined(items, b'{"object":"list","data":[', b"]}")
