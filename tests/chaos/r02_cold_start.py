"""R2: a gateway starts while control is away, from what it held last, if nobody changed that."""

import random
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from gateway.last_good import NAME
from tests.chaos.calls import calling, service
from tests.chaos.promise import Figure, Promise, all_of, none, seconds, told
from tests.integration.gateway.front import CHAT
from tests.processes import START_SECONDS, Service, Spawn, spawning, wait_until

KEY = "the-gateways-own-key"
READY_S, BACK_S = 3.0, 5.0
REGISTRY = {"heartbeat_interval_s": 300, "grace_s": 0}
REFUSED = re.compile(r"last-good refused: .+")
PATIENCE_S = 30.0

Damage = Callable[[bytes, random.Random], bytes]
DAMAGES: tuple[Damage, ...] = (
    lambda content, draw: content[: draw.randrange(len(content))],
    lambda content, draw: flipped(content, draw.randrange(len(content)), draw),
    lambda content, draw: content + draw.randbytes(draw.randrange(1, 100)),
    lambda content, draw: draw.randbytes(len(content)),
    lambda content, draw: bytes(len(content)),
    lambda content, draw: content[: len(content) // 2] * 2,
)


def run(folder: Path, *, damages: int, seed: int = 2) -> list[Figure]:
    """Start a gateway from its file, then from `damages` files that somebody changed."""
    draw = random.Random(seed)
    with ExitStack() as stack:
        spawn = stack.enter_context(spawning(folder))
        engine = Service(["tests.fakes.engine", "--model", "small"], folder / "engine.log")
        stack.callback(engine.stop)
        control = _start_control(spawn, folder, 0)
        port = control.port()
        with calling(port) as calls:
            calls.register("h", [service("h/s", f"127.0.0.1:{engine.port()}", ["small"])])
        file = _remembered(spawn, folder, port)
        control.kill()

        gateway, ready_after = _start(spawn, folder, port)
        answered, held = _chat(gateway), _told(gateway, "/ready")
        _start_control(spawn, folder, port).port()
        back_at = time.monotonic()
        wait_until(
            lambda: _told(gateway, "/ready").get("control") == "connected",
            10 * BACK_S,
            "the gateway has control again",
        )
        back_after = time.monotonic() - back_at
        gateway.stop()
        good = file.read_bytes()
        outcomes = [
            _damaged(spawn, folder, file, DAMAGES[n % len(DAMAGES)](good, draw))
            for n in range(damages)
        ]
    return [
        seconds("from start to ready, control away", ready_after, at_most=READY_S),
        all_of("requests answered then", answered, 1),
        Figure("its knowledge has an age", float("stale_seconds" in held), at_least=1),
        seconds("until control is followed again, without a restart", back_after, at_most=BACK_S),
        told("changed files", damages),
        all_of("of them refused with the reason in the log", outcomes.count("refused"), damages),
        none("gateways that crashed or served from one", damages - outcomes.count("refused")),
    ]


def flipped(content: bytes, at: int, draw: random.Random) -> bytes:
    """Return `content` with one bit of the byte at `at` changed."""
    return content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]


def _start_control(spawn: Spawn, folder: Path, port: int) -> Service:
    settings = {
        "listen": f"127.0.0.1:{port}",
        "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
        "registry": REGISTRY,
        "auth": {"gateway_api_keys": [KEY]},
    }
    return spawn("control", settings)


def _gateway(spawn: Spawn, folder: Path, control_port: int) -> Service:
    settings = {
        "listen": "127.0.0.1:0",
        "control": f"127.0.0.1:{control_port}",
        "state_dir": str(folder / "state"),
    }
    return spawn("gateway", settings, GENIEHIVE_GATEWAY_KEY=KEY)


def _remembered(spawn: Spawn, folder: Path, control_port: int) -> Path:
    """Let a gateway learn what there is, and return the file that it wrote."""
    file = folder / "state" / NAME
    gateway = _gateway(spawn, folder, control_port)
    wait_until(file.exists, START_SECONDS, "the file is written")
    gateway.stop()
    return file


def _start(spawn: Spawn, folder: Path, control_port: int) -> tuple[Service, float]:
    """Start a gateway; return it with the seconds until it was ready."""
    begin = time.monotonic()
    gateway = _gateway(spawn, folder, control_port)
    gateway.port()
    wait_until(lambda: "status" in _told(gateway, "/ready"), 10 * READY_S, "the gateway is ready")
    return gateway, time.monotonic() - begin


def _damaged(spawn: Spawn, folder: Path, file: Path, content: bytes) -> str:
    """Return how a gateway took a file with this content: `refused`, or something worse."""
    file.write_bytes(content)
    gateway = _gateway(spawn, folder, 9)  # nobody is control there
    gateway.wait_for_log(REFUSED, PATIENCE_S)
    alive = _told(gateway, "/health").get("status") == "ok"
    serves = "status" in _told(gateway, "/ready")
    gateway.stop()
    return "refused" if alive and not serves else "served" if serves else "crashed"


def _chat(gateway: Service) -> int:
    url = f"http://127.0.0.1:{gateway.port()}{CHAT}"
    body = {"model": "small", "messages": []}
    return int(httpx.post(url, json=body, trust_env=False).is_success)


def _told(gateway: Service, path: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{gateway.port()}{path}"
    found: dict[str, Any] = httpx.get(url, trust_env=False).json()
    return found


PROMISE = Promise(run, short={"damages": 1}, full={"damages": 200})
