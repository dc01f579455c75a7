"""R46: a node costs next to nothing: six engines, a hundred models, a beat every five seconds."""

import asyncio
import time
from pathlib import Path

import yaml

from bench.processes import usage
from tests.chaos.metronome import metronome
from tests.chaos.promise import Figure, Promise, told
from tests.processes import START_SECONDS, Service, stop_all

# The stand-ins, and how many models each lists.
ENGINES = {"ollama": 50, "lmstudio": 20, "llamaswap": 20, "speaches": 8, "vllm": 1, "sglang": 1}
MODELS = sum(ENGINES.values())
INTERVAL_S = 5.0
SETTLE_S = 2.0
CORES = 0.02
RSS_MB = 100.0


def run(folder: Path, *, seconds: float) -> list[Figure]:
    """Let a node watch idle engines for `seconds`."""
    return asyncio.run(_measured(folder, seconds))


async def _measured(folder: Path, seconds: float) -> list[Figure]:
    engines = await asyncio.to_thread(_engines, folder)
    try:
        async with metronome(INTERVAL_S) as beats:
            services = [
                {"service_id": f"e{number}", "endpoint": f"http://127.0.0.1:{one.port()}"}
                for number, one in enumerate(engines)
            ]
            path = folder / "node.yaml"
            node = {"host_id": "h"}
            path.write_text(
                yaml.safe_dump({"control": beats.address, "node": node, "services": services})
            )
            engines.append(Service(["node", "--config", str(path)], path.with_suffix(".log")))
            async with asyncio.timeout(START_SECONDS):
                while _models(beats.services) < MODELS:  # noqa: ASYNC110  # it sends no events
                    await asyncio.sleep(0.05)
            await asyncio.sleep(SETTLE_S)
            pid, count = engines[-1].process.pid, len(beats.at)
            before, begin = usage([pid]), time.monotonic()
            await asyncio.sleep(seconds)
            after, took = usage([pid]), time.monotonic() - begin
    finally:
        await asyncio.to_thread(stop_all, engines)
    cores = (after.cpu_ns - before.cpu_ns) / 1e9 / took
    return [
        told("engines", len(ENGINES)),
        told("models", _models(beats.services)),
        told("heartbeats", len(beats.at) - count),
        Figure("CPU of the node", round(cores, 4), "cores", at_most=CORES, timed=True),
        Figure("memory of the node", round(after.rss_bytes / 1e6, 1), "MB", at_most=RSS_MB),
    ]


def _models(services: dict) -> int:
    return sum(len(one.assets) for one in services.values())


def _engines(folder: Path) -> list[Service]:
    """Start the engines."""
    started = []
    for engine, count in ENGINES.items():
        named = [word for model in range(count) for word in ("--model", f"{engine}-{model}")]
        started.append(Service([f"tests.engines.{engine}", *named], folder / f"{engine}.log"))
    return started


PROMISE = Promise(run, short={"seconds": 3.0}, full={"seconds": 90.0})
