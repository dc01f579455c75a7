"""What it costs to look at a cluster: `python -m tests.transcript.views [SERVICES] [SECONDS]`.

Prints how long lists take, of what control was just asked and of what is a second old at
most, and meanwhile how late the gateway's loop is, and what chats take.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.chaos.calls import calling, service
from tests.chaos.promise import quantile
from tests.chaos.pulse import pulse
from tests.fakes.engine import Engine, openai
from tests.processes import spawning

CHAT = {"model": "hot", "messages": [{"role": "user", "content": "x"}]}
SERVICES_A_HOST = 100
PATIENCE_S = 60.0
COLD_S, CACHED_S = 1.1, 0.02  # between two questions
VIEWS = (
    ("nothing else", "", COLD_S),
    ("models, asked anew", "/v1/models", COLD_S),
    ("models", "/v1/models", CACHED_S),
    ("services, asked anew", "/v1/cluster/services", COLD_S),
    ("services", "/v1/cluster/services", CACHED_S),
    ("a page of services", "/v1/cluster/services?limit=100", CACHED_S),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """How long everything took while something was looked at. All in seconds."""

    title: str
    views: list[float]
    chats: list[float]
    health: list[float]
    size: int  # bytes of one answer

    def line(self) -> str:
        """Return it for people."""
        told = (("answer", self.views), ("chat", self.chats), ("health", self.health))
        figures = (
            f"{name} {quantile(took, 0.5) * 1e3:.1f} / {quantile(took, 0.99) * 1e3:.1f} ms"
            for name, took in told
            if took
        )
        return f"{self.title:<22}{self.size / 1e6:5.2f} MB  {'   '.join(figures)}"


async def measure(services: int, seconds: float) -> list[Seen]:
    """Look at a cluster of so many services in each way, for so long."""
    with tempfile.TemporaryDirectory() as folder:
        async with _cluster(Path(folder), services) as (url, port):
            return [await _seen(url, port, *view, seconds) for view in VIEWS]


@asynccontextmanager
async def _cluster(folder: Path, services: int) -> AsyncIterator[tuple[str, int]]:
    """Run control and a gateway, with services that nodes tell of and one engine has."""
    settings = {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
        "registry": {"grace_s": 0, "heartbeat_interval_s": 60},
    }
    async with Engine(openai(["hot"])) as engine:
        with spawning(folder) as spawn:
            control = spawn("control", settings).port()
            gateway = {"listen": "127.0.0.1:0", "control": f"127.0.0.1:{control}"}
            port = spawn("gateway", gateway).port()
            await asyncio.to_thread(_register, control, engine.address, services)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                await _until_known(client, services)
            yield f"http://127.0.0.1:{port}", port


def _register(control: int, engine: str, services: int) -> None:
    with calling(control) as calls:
        for start in range(0, services, SERVICES_A_HOST):
            host_id = f"h{start:05}"
            numbers = range(start, min(start + SERVICES_A_HOST, services))
            offered = [
                service(f"{host_id}/s{number:05}", engine, [f"model-{number}" if number else "hot"])
                for number in numbers
            ]
            calls.register(host_id, offered, instance_id=host_id)


async def _until_known(client: httpx.AsyncClient, services: int) -> None:
    """Wait until all are listed, and told of."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await client.get("/v1/models", params={"route_type": "service"})
            found = answer.json().get("data", [])
            if len(found) == services and "offload_hint" in found[0]["geniehive"]:
                return
            await asyncio.sleep(COLD_S)


async def _seen(url: str, port: int, title: str, path: str, pause: float, seconds: float) -> Seen:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_S) as client:

        async def chat() -> int:
            answer = await client.post("/v1/chat/completions", json=CHAT)
            return len(answer.raise_for_status().content)

        async def look() -> int:
            return len((await client.get(path)).raise_for_status().content)

        with pulse(port) as samples:
            async with asyncio.TaskGroup() as both:
                chats = both.create_task(_repeated(chat, 0.01, seconds))
                looks = both.create_task(_repeated(look, pause, seconds)) if path else None
        views, size = looks.result() if looks is not None else ([], 0)
    return Seen(title, views, chats.result()[0], [took for _, took in samples], size)


async def _repeated(
    ask: Callable[[], Coroutine[object, object, int]], pause: float, seconds: float
) -> tuple[list[float], int]:
    """Ask again and again; return how long each answer took, and the size of the last."""
    took, size = [], 0
    end = time.monotonic() + seconds
    while not took or time.monotonic() < end:
        begin = time.perf_counter()
        size = await ask()
        took.append(time.perf_counter() - begin)
        await asyncio.sleep(pause)
    return took, size


def main(services: str = "1000", seconds: str = "10") -> None:
    """Measure and print: p50 / p99 of each."""
    for seen in asyncio.run(measure(int(services), float(seconds))):
        print(seen.line())


if __name__ == "__main__":
    main(*sys.argv[1:])
