"""Every test here runs through both doors: what a client sees must not depend on it."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front
from tests.integration.gateway.front import front as serve


@pytest.fixture(params=["protocol", "asgi"])
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def front(door: str, engine: Engine) -> AsyncIterator[Front]:
    """A gateway that routes the model `small` to `engine`."""
    async with serve(door) as started:
        started.offer(engine.address)
        yield started
