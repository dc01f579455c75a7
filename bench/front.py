"""A real gateway before a fleet, and requests that are measured there."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from bench import chat
from bench.fleet_control import FleetFailed, end, listening, move, tethered

READY_SECONDS = 30.0
POLL_SECONDS = 0.1
LOAD_SECONDS = 30.0  # on top of what a run takes, for its start
WARMUP_SECONDS = 1.0
CONNECTIONS = 8
PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Requests:
    """What requests took in a gateway and the engine behind it. Microseconds."""

    count: int
    p50_us: float
    p99_us: float
    max_us: float

    def __str__(self) -> str:
        return f"p50 {self.p50_us:,.0f} us, p99 {self.p99_us:,.0f} us, max {self.max_us:,.0f} us"


@dataclass(frozen=True, slots=True)
class Front:
    """A gateway. url: where clients reach it."""

    process: subprocess.Popen[bytes]
    url: str

    async def answers(self, model: str) -> None:
        """Wait until requests for a model are answered.

        Raises:
            FleetFailed: they are not.
        """
        body = chat.body(model, 0, stream=False)
        headers = {"Content-Type": "application/json"}
        said = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(trust_env=False) as client:
                while True:
                    with contextlib.suppress(httpx.HTTPError):
                        url = f"{self.url}{PATH}"
                        answer = await client.post(url, content=body, headers=headers)
                        said = answer.text[-200:]
                        if answer.status_code == 200:
                            return
                    await asyncio.sleep(POLL_SECONDS)
        raise FleetFailed(f"the gateway does not serve within {READY_SECONDS:.0f} s: {said}")

    async def measured(self, model: str, rate: float, seconds: float) -> dict[str, Any]:
        """Run the load generator as a process of its own and return what it told.

        Raises:
            FleetFailed: requests were refused.
        """
        command = [
            *(sys.executable, "-P", "-m", "bench", "load", f"{self.url}{PATH}", "--json"),
            *("--model", model, "--rate", str(rate)),
            *("--connections", str(CONNECTIONS), "--seconds", str(seconds)),
            *("--warmup", str(WARMUP_SECONDS), "--pid", str(self.process.pid)),
        ]
        bound = seconds + WARMUP_SECONDS + LOAD_SECONDS
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=bound, check=False
        )
        if done.returncode != 0:
            raise FleetFailed(f"requests failed: {done.stderr.strip()[-200:]}")
        found: dict[str, Any] = json.loads(done.stdout)
        if found["errors"]:
            raise FleetFailed(f"requests failed: {found['errors']}")
        return found


@contextlib.asynccontextmanager
async def gateway(folder: Path, control: str, cores: set[int]) -> AsyncIterator[Front]:
    """Run a gateway of the control at an address, on some cores.

    Raises:
        FleetFailed: it does not start.
    """
    settings = folder / "gateway.yaml"
    content = {
        "listen": "127.0.0.1:0",
        "control": control,
        "state_dir": str(folder / "gateway"),
    }
    settings.write_text(yaml.safe_dump(content))
    log = folder / "gateway.log"
    process = tethered(["gateway", "--config", str(settings)], log)
    try:
        address = await listening(process, log)
        move(process, cores)
        yield Front(process, f"http://{address}")
    finally:
        end(process)


@contextlib.asynccontextmanager
async def engine(folder: Path) -> AsyncIterator[str]:
    """Run a fake engine and yield its URL."""
    log = folder / "engine.log"
    process = tethered(["bench", "upstream"], log)
    try:
        yield f"http://{await listening(process, log)}"
    finally:
        end(process)


@contextlib.asynccontextmanager
async def beside(doing: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let something be done while the context lasts."""
    task = asyncio.create_task(doing)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def requests(found: dict[str, Any]) -> Requests:
    """Return what the load generator told of latencies."""
    latency = found["latency"]
    return Requests(found["answered"], latency["p50"], latency["p99"], latency["max"])
