"""A client on a machine of its own: `python -m tests.chaos.visitor URL FILE RATE MODEL…`.

Asks for each model at that rate as soon as all are offered, until SIGTERM, and writes its
samples into the file then.
"""

import asyncio
import json
import logging
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import httpx

from tests.chaos.load import OpenLoad, Sample
from tests.chaos.world import models_at
from tests.processes import START_SECONDS, wait_until

ASKING = "asking"


def read(path: Path) -> dict[str, list[Sample]]:
    """Return what a visitor wrote, by model; times are of the system's monotonic clock."""
    found = json.loads(path.read_text())
    return {model: [Sample(**one) for one in samples] for model, samples in found.items()}


async def visit(url: str, rate: float, models: list[str]) -> list[OpenLoad]:
    """Ask until SIGTERM; what is under way then is waited for."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    loads = [OpenLoad(url, [model], rate) for model in models]
    running = [asyncio.create_task(load.run()) for load in loads]
    logging.info(ASKING)
    await stop.wait()
    for task in running:
        task.cancel()
    for task in running:
        with suppress(asyncio.CancelledError):
            await task
    return loads


def offered(url: str, models: list[str]) -> bool:
    with suppress(httpx.HTTPError):
        return models_at(url) >= set(models)
    return False


def main() -> None:
    """Entry point."""
    url, file, rate, *models = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    wait_until(lambda: offered(url, models), START_SECONDS, f"{models} at {url}")
    loads = asyncio.run(visit(url, float(rate), models))
    found = {load.models[0]: [asdict(one) for one in load.samples] for load in loads}
    Path(file).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
