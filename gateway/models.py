"""What `GET /v1/models` answers: models as OpenAI shapes them."""

from typing import Any

import msgspec

from gateway.routes import Routes
from gateway.steps import Steps

_encode = msgspec.json.Encoder().encode


class Models:
    """The list of all models, as JSON; made once for each state of the routes."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._made: tuple[int, bytes] | None = None  # of which state, and what

    def listed(self) -> Steps[bytes]:
        """Return the list, made in steps where the routes are others than the last time."""
        state = self._routes.changes
        if self._made is not None and self._made[0] == state:
            return self._made[1]
        found = []
        for name in self._routes.models():
            is_role = self._routes.is_role(name)
            if (services := self._routes.serving(name)) or is_role:
                found.append(_encode(model(name, services, "role" if is_role else "asset")))
            yield
        content = b'{"object":"list","data":[%b]}' % b",".join(found)
        # Routes that changed meanwhile have another state, and the next list is made of them.
        self._made = state, content
        return content


def model(name: str, services: list[str], kind: str) -> dict[str, Any]:
    """Return a model as OpenAI shapes it. services: sorted; those of a role may all be away."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "geniehive-role" if kind == "role" else services[0].partition("/")[0],
        "geniehive": {"route_type": kind, "services": services},
    }
