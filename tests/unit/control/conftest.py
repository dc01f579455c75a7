from collections.abc import AsyncIterator

import pytest

from tests.unit.control.serving import serving


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Keep one event loop for all tests with gRPC: its one poller calls the loops of the past."""
    yield  # noqa: PT022  # the loop lives as long as this waits


@pytest.fixture
async def control(one_loop):
    """A control that lets everybody do everything."""
    async with serving() as running:
        yield running
