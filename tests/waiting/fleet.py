"""Real llama.cpp services of unlike speed, each on a host of its own, behind one gateway."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from control.api.strategies import Strategy
from tests.integration.conftest import DEMO_MODEL, start_llama_server
from tests.processes import START_SECONDS, Service, spawning, stop_all, wait_until
from tests.transcript.pair import role, throttled

MODEL = "smollm2-135m"
CONTEXT = 1024  # tokens of a slot
# Only what was said is read: the words of the model's own template take as long as all of it.
TEMPLATE = "{{ messages[-1]['content'] }}"
ADOPTED_S = 1.0  # after which gateways go by what control read again; they are told at once


@dataclass(frozen=True, slots=True)
class Engine:
    """One of them. share: of the time in which it runs, as if its machine were slower."""

    host_id: str
    slots: int
    share: float

    @property
    def service_id(self) -> str:
        return f"{self.host_id}/llama"


# Together they need less than two cores, so that none is slower because others work.
UNLIKE = (Engine("attic", 1, 0.2), Engine("desk", 4, 0.9), Engine("shelf", 2, 0.45))


@dataclass(slots=True)
class Fleet:
    """What runs, as a client sees it, and the settings of control. url: of the gateway."""

    url: str
    control: Service
    settings: dict[str, Any]
    path: Path

    def open_room(self, on: bool) -> None:
        """Let requests wait in the gateway, or inside the engines."""
        self.settings["routing"] = {"waiting_room": on}
        self.path.write_text(yaml.safe_dump(self.settings))
        self.control.process.send_signal(signal.SIGHUP)
        time.sleep(ADOPTED_S)

    def settle(self, model: str = MODEL, key: str = "") -> None:
        """Wait until all that serve a model are known to be idle."""
        wait_until(lambda: self._idle(model, key), START_SECONDS, "all are idle")

    def _idle(self, model: str, key: str) -> bool:
        answer = httpx.get(
            f"{self.url}/v1/cluster/routes/resolve",
            params={"model": model, "explain": "1"},
            headers=authorization(key),
            trust_env=False,
            timeout=START_SECONDS,
        )
        found = answer.raise_for_status().json()["explanation"]["explanations"]
        return not any(one["in_flight"] or one["queue_depth"] for one in found)


def authorization(key: str) -> dict[str, str]:
    """Return the header that presents a key; none if that is empty."""
    return {"Authorization": f"Bearer {key}"} if key else {}


@contextmanager
def running_fleet(
    folder: Path,
    engines: Sequence[Engine] = UNLIKE,
    keys: Sequence[str] = (),
    gateway: Mapping[str, object] | None = None,
) -> Iterator[Fleet]:
    """Run llama-server for each of `engines`, and what is `serving` them."""
    with ExitStack() as stack:
        started = {one: _started(folder, one, stack) for one in engines}
        endpoints = {
            one.host_id: f"http://127.0.0.1:{service.port()}" for one, service in started.items()
        }
        fleet = stack.enter_context(serving(folder, endpoints, MODEL, keys, gateway))
        for one, service in started.items():
            if one.share < 1:
                stack.enter_context(throttled(service, one.share))
        yield fleet


@contextmanager
def serving(
    folder: Path,
    endpoints: Mapping[str, str],
    model: str,
    keys: Sequence[str] = (),
    gateway: Mapping[str, object] | None = None,
) -> Iterator[Fleet]:
    """Run a node beside each engine, control and a gateway, until all engines serve a model.

    endpoints: by host. keys: of clients; none: nobody needs one. Each strategy has a role of
    its own.
    """
    roles = [
        {"role_id": role(one), "operation": "chat", "routing_policy": {"strategy": one.value}}
        for one in Strategy
    ]
    (catalog := folder / "roles.yaml").write_text(yaml.safe_dump({"roles": roles}))
    settings: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
        # What waits inside an engine travels with beats.
        "registry": {"grace_s": 0, "heartbeat_interval_s": 0.5, "lease_intervals": 20},
        "roles_path": str(catalog),
        "auth": {"client_api_keys": list(keys)},
    }
    with spawning(folder) as spawn:
        control = spawn("control", settings)
        # Control is asked to read its settings again, and stays where it is.
        settings["listen"] = address = f"127.0.0.1:{control.port()}"
        for host_id, endpoint in endpoints.items():
            services = [{"service_id": "llama", "endpoint": endpoint}]
            node = {"control": address, "node": {"host_id": host_id}, "services": services}
            spawn("node", node)
        # Without comments the head of an answer tells how long its request waited.
        settled = {"listen": "127.0.0.1:0", "control": address, "timeouts": {"ping": 0}}
        door = spawn("gateway", {**settled, **(gateway or {})})
        fleet = Fleet(
            f"http://127.0.0.1:{door.port()}", control, settings, folder / "control-0.yaml"
        )
        expected = {f"{host_id}/llama" for host_id in endpoints}
        key = next(iter(keys), "")
        wait_until(lambda: _serving(fleet.url, model, key) == expected, START_SECONDS, "all serve")
        yield fleet


def _started(folder: Path, engine: Engine, stack: ExitStack) -> Service:
    slots = ("-np", str(engine.slots), "-c", str(CONTEXT * engine.slots))
    model = ("-m", str(DEMO_MODEL), "--alias", MODEL, "--jinja", "--chat-template", TEMPLATE)
    service = start_llama_server(folder / f"{engine.host_id}.engine.log", *model, *slots)
    stack.callback(stop_all, [service])
    return service


def _serving(url: str, model: str, key: str) -> set[str]:
    how: Any = {"headers": authorization(key), "trust_env": False, "timeout": START_SECONDS}
    answer = httpx.get(f"{url}/v1/models/{model}", **how)
    return set(answer.json()["geniehive"]["services"]) if answer.is_success else set()
