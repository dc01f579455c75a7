"""A cluster of real processes that a promise can hurt: an engine, control, nodes, a gateway.

Nodes and gateways reach control through a fault proxy, so that control may come back on
another port and the network between them can be broken.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from geniehive.v1 import discovery_service_pb2 as discovery
from geniehive.v1 import inventory_pb2 as inventory

from control.api.errors import GenieHiveError
from tests.chaos.calls import calling, service
from tests.chaos.load import CLIENT_KEY, WITH_KEY
from tests.chaos.proxy import FaultProxy, proxying
from tests.processes import START_SECONDS, Service, Spawn, spawning, stop_all, wait_until

MODELS = tuple(f"model-{number}" for number in range(5))
HEALTH_S = 1.0  # how long control may take to say how it is


@dataclass(slots=True)
class World:
    """Where everything runs; `control` may be killed and started again."""

    folder: Path
    network: FaultProxy  # between control and everybody else
    registry: Mapping[str, Any]
    clocks: Sequence[str]  # of control
    engine: Service
    control: Service
    others: list[Service] = field(default_factory=list)
    gateway: Service = field(init=False)

    @property
    def store(self) -> Path:
        return self.folder / "store" / "geniehive.sqlite3"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port()}"

    def start_control(self) -> None:
        """Start control, and let the network lead to it once it listens."""
        self.control = _start_control(self.folder, self.registry, self.clocks)
        self.network.target = self.control.port()

    def start_node(self, host_id: str, *clocks: str) -> Service:
        """Start a node whose only service is the engine; `clocks` as of `skewed`."""
        engine = f"http://127.0.0.1:{self.engine.port()}"
        settings = {
            "control": self.network.address,
            "node": {"host_id": host_id},
            "services": [{"service_id": "fake", "endpoint": engine}],
        }
        return self.start("node", host_id, settings, *clocks)

    def start_gateway(self, **settings: Any) -> Service:
        """Start a gateway; the first one is *the* gateway."""
        here = {"listen": "127.0.0.1:0", "control": self.network.address, **settings}
        return self.start("gateway", f"gateway-{len(self.others)}", here)

    def start(self, module: str, name: str, settings: Mapping[str, Any], *clocks: str) -> Service:
        service = _start(self.folder, module, name, settings, clocks)
        self.others.append(service)
        return service

    def empty_the_store(self) -> None:
        for file in self.store.parent.glob(f"{self.store.name}*"):
            file.unlink()

    def health(self) -> discovery.GetClusterHealthResponse:
        """Return what control says of the cluster; nothing while it does not answer."""
        with calling(self.control.port(), HEALTH_S) as calls:
            try:
                return calls.health()
            except GenieHiveError:
                return discovery.GetClusterHealthResponse()

    def models(self) -> set[str]:
        return models_at(self.url)

    def ready(self) -> dict[str, Any]:
        """Return what the gateway says of itself."""
        found: dict[str, Any] = httpx.get(f"{self.url}/ready", trust_env=False).json()
        return found

    def wait_for_models(self, models: Sequence[str] = MODELS) -> None:
        wait_until(lambda: self.models() >= set(models), START_SECONDS, "models are offered")


@contextmanager
def world(
    folder: Path, *, hosts: int = 1, clocks: Sequence[str] = (), **registry: Any
) -> Iterator[World]:
    """Run a cluster with `hosts` nodes on one engine until the block ends.

    clocks: how those of control are wrong, as options of `skewed`.
    registry: settings of control; beats come once a second unless it says otherwise.
    """
    registry = {"heartbeat_interval_s": 1, "grace_s": 4, **registry}
    (folder / "store").mkdir(exist_ok=True)  # or a disk is mounted there
    models = [word for model in MODELS for word in ("--model", model)]
    engine = Service(["tests.fakes.engine", *models, "--pace", "0.002"], folder / "engine.log")
    control = _start_control(folder, registry, clocks)
    with proxying(0) as network:
        here = World(folder, network, registry, clocks, engine, control)
        try:
            network.target = control.port()
            for number in range(hosts):
                here.start_node(f"h{number}")
            here.gateway = here.start_gateway()
            if hosts:
                here.wait_for_models()
            yield here
        finally:
            stop_all([engine, here.control, *here.others])


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway with routes, and how to start another one beside it."""

    spawn: Spawn
    control: Service
    gateway: Service

    @property
    def port(self) -> int:
        return self.gateway.port()

    def another(self, **settings: Any) -> Service:
        """Start one more gateway on the same control."""
        return self.spawn("gateway", {"control": f"127.0.0.1:{self.control.port()}", **settings})


@contextmanager
def served(folder: Path, models: Mapping[str, str], **settings: Any) -> Iterator[Served]:
    """Run control and a gateway whose models are at these engines, host:port."""
    services = [service(f"h/{model}", at, [model]) for model, at in models.items()]
    with serving(folder, services, **settings) as here:
        yield here


@contextmanager
def serving(
    folder: Path, services: Sequence[inventory.Service], **settings: Any
) -> Iterator[Served]:
    """Run control and a gateway that routes to these services of the host `h`.

    The host is registered once, and control waits long for its next beat.
    """
    with spawning(folder) as spawn:
        storage = {"sqlite_path": str(folder / "geniehive.sqlite3")}
        patient = {"heartbeat_interval_s": 300, "grace_s": 0}
        control = spawn(
            "control", {"listen": "127.0.0.1:0", "storage": storage, "registry": patient}
        )
        with calling(control.port()) as calls:
            calls.register("h", services)
        here = {"listen": "127.0.0.1:0", "control": f"127.0.0.1:{control.port()}", **settings}
        gateway = spawn("gateway", here)
        url = f"http://127.0.0.1:{gateway.port()}"
        models = {asset.asset_id for one in services for asset in one.assets}
        wait_until(lambda: models <= models_at(url), START_SECONDS, "the gateway has its routes")
        yield Served(spawn, control, gateway)


def models_at(url: str) -> set[str]:
    """Return what the gateway at `url` offers; nothing while it is not ready."""
    answer = httpx.get(f"{url}/v1/models", headers=WITH_KEY, trust_env=False)
    return {one["id"] for one in answer.json()["data"]} if answer.is_success else set()


def _start_control(folder: Path, registry: Mapping[str, Any], clocks: Sequence[str]) -> Service:
    settings = {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(folder / "store" / "geniehive.sqlite3")},
        "registry": dict(registry),
        "auth": {"client_api_keys": [CLIENT_KEY]},
    }
    return _start(folder, "control", "control", settings, clocks)


def _start(
    folder: Path, module: str, name: str, settings: Mapping[str, Any], clocks: Sequence[str]
) -> Service:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(dict(settings)))
    before = ["tests.chaos.skewed", *clocks] if clocks else []
    return Service(
        [*before, module, "--config", str(path)],
        folder / f"{name}.log",
        {"GENIEHIVE_STATE_DIR": str(folder / f"{name}-state")},
    )
