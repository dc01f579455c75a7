"""Every test here runs through both doors: what a client sees must not depend on it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.fakes.engine import Engine
from tests.fakes.node_door import node_door
from tests.integration.gateway.front import Front
from tests.integration.gateway.front import front as serve


@pytest.fixture(params=["protocol", "asgi"])
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def way() -> str:
    """How the gateway reaches its engine; a module where it matters has both."""
    return "direct"


@pytest.fixture
async def front(door: str, way: str, engine: Engine) -> AsyncIterator[Front]:
    """A gateway that routes the model `small` to `engine`."""
    async with AsyncExitStack() as stack:
        started = await stack.enter_async_context(serve(door))
        if way == "relay":
            started.node = await stack.enter_async_context(node_door())
        started.offer(engine.address)
        yield started
