"""What incidents happen to: a gateway in this process, and the hosts that control knows."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from control.membership import Membership
from control.pace import Rhythm
from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front
from tests.integration.gateway.front import front as serve
from tests.unit.control.builders import host, offer


@pytest.fixture
async def front(engine: Engine) -> AsyncIterator[Front]:
    """A gateway that routes the model `small` to `engine`, and gives up silence soon."""
    timeouts = {"first_byte": 0.5, "first_event": 0.5, "idle": 0.5}
    async with serve("protocol", timeouts=timeouts) as started:
        started.offer(engine.address)
        yield started


@pytest.fixture
def series(front: Front) -> Callable[[], Awaitable[set[str]]]:
    """Ask for the names and labels of all that the gateway counts."""

    async def scraped() -> set[str]:
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"{front.url}/metrics")).text
        return {one.rpartition(" ")[0] for one in text.splitlines() if not one.startswith("#")}

    return scraped


@pytest.fixture
def members() -> Membership:
    """Ten hosts, `h0` to `h9`, registered at second 0, with leases of 3 seconds."""
    membership = Membership(Rhythm(interval=1.0, lease_intervals=3), jitter=lambda: 0.0)
    for number in range(10):
        name = f"h{number}"
        membership.register(host(name), "i", [offer(f"{name}/s")], 0.0)
    membership.take_changes()
    return membership
