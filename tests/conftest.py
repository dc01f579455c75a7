"""What all tests share: the event loop, the fake engine, real processes."""

from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path

import pytest
from httpx._transports import default as httpx_transport
from hypothesis import HealthCheck, settings

from tests.fakes.engine import Engine, openai
from tests.processes import Spawn, reserved_port, spawning

# A deadline an example measures the machine, not the code.
settings.register_profile("geniehive", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("geniehive")

# Each client would read anew whom it may trust, for 20 ms; tests that wait for a fact open many.
httpx_transport.create_ssl_context = cache(httpx_transport.create_ssl_context)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """Keep one event loop for all tests with gRPC: its one poller calls the loops of the past."""
    yield  # noqa: PT022  # the loop lives as long as this waits


@pytest.fixture
async def engine(anyio_backend: str) -> AsyncIterator[Engine]:
    """A fake engine that serves the model `small`; give it another script at will."""
    async with Engine(openai(["small"])) as started:
        yield started
    assert started.faults == []


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start services as real processes; see `tests.processes.spawning`."""
    with spawning(tmp_path) as start:
        yield start


@pytest.fixture
def known_port() -> Iterator[int]:
    """A port for a service that others must know before it is there."""
    with reserved_port() as port:
        yield port
