import pytest

from tests.unit.control.serving import serving


@pytest.fixture
async def control(one_loop):
    """A control that lets everybody do everything."""
    async with serving() as running:
        yield running
