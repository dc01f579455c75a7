"""What all tests share: the event loop, the fake engine, real processes."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

from tests.fakes.engine import Engine, openai
from tests.processes import Service, stop_all

# A deadline an example measures the machine, not the code.
settings.register_profile("geniehive", deadline=None)
settings.load_profile("geniehive")

Spawn = Callable[..., Service]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine(anyio_backend: str) -> AsyncIterator[Engine]:
    """A fake engine that serves the model `small`; give it another script at will."""
    async with Engine(openai(["small"])) as started:
        yield started
    assert started.faults == []


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start services as real processes; stop them, newest first, when the test ends.

    `spawn("control", {...settings}, KEY="value")` writes the settings to a file and starts
    `python -P -m control --config FILE` with the variables in its environment. Ports are
    the kernel's choice and read from the log, so tests may run in parallel. What still runs
    at the end must exit 0 on SIGTERM: every test tests the shutdown.
    """
    running: list[Service] = []

    def start(
        module: str, settings: Mapping[str, object], *flags: str, **environment: str
    ) -> Service:
        name = f"{module}-{len(running)}"
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(dict(settings)))
        arguments = [module, "--config", str(path), *flags]
        running.append(Service(arguments, tmp_path / f"{name}.log", environment))
        return running[-1]

    yield start
    stop_all(running)
