"""Looking at stand-ins, as nodes look."""

from node.engines import detect, http
from node.engines.sight import Sight
from tests.engines.server import StandIn


async def seen(engine: StandIn, asked_as: str | None = None) -> Sight:
    """Return one look at `engine`, by a node that was told nothing of it."""
    async with http.new_client() as client:
        return await detect.look(client, engine.url, asked_as)


def loaded(sight: Sight) -> dict[str, bool | None]:
    return {one.asset_id: one.loaded for one in sight.models or ()}


def operations(sight: Sight) -> dict[str, str | None]:
    return {one.asset_id: one.operation for one in sight.models or ()}
