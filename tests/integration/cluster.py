"""A whole cluster of real processes on one machine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.processes import START_SECONDS, Service, spawning, wait_until


@dataclass(frozen=True, slots=True)
class Cluster:
    """Control, node and gateway, and where to reach them."""

    control: Service
    node: Service
    gateway: Service

    @property
    def control_address(self) -> str:
        return f"127.0.0.1:{self.control.port()}"

    @property
    def url(self) -> str:
        """What a client is told: the address of the gateway."""
        return f"http://127.0.0.1:{self.gateway.port()}"

    def models(self, key: str = "") -> set[str]:
        """Return what can be asked for now; nothing while the gateway is not ready."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        answer = httpx.get(f"{self.url}/v1/models", headers=headers, trust_env=False)
        if answer.status_code != httpx.codes.OK:
            return set()
        return {entry["id"] for entry in answer.json()["data"]}

    def wait_for_model(self, name: str, key: str = "") -> None:
        """Wait until the gateway lists a model. Blocks: not on the loop that serves an engine."""
        wait_until(lambda: name in self.models(key), START_SECONDS, f"{name} in /v1/models")


@contextmanager
def running_cluster(
    folder: Path,
    services: list[dict[str, object]],
    *,
    door: str = "protocol",
    control: Mapping[str, object] | None = None,
    gateway: Mapping[str, object] | None = None,
    node: Mapping[str, object] | None = None,
) -> Iterator[Cluster]:
    """Run a cluster whose only host, `h1`, offers `services`, as in a node's settings."""
    with spawning(folder) as spawn:
        storage = {"sqlite_path": str(folder / "geniehive.sqlite3")}
        settings: dict[str, object] = {
            "listen": "127.0.0.1:0",
            "storage": storage,
            "registry": {"grace_s": 0},  # nobody has to come back: unknown names are unknown
            **(control or {}),
        }
        first = spawn("control", settings)
        address = f"127.0.0.1:{first.port()}"
        agent = {"control": address, "node": {"host_id": "h1"}, "services": services}
        beside = spawn("node", {**agent, **(node or {})})
        at = {"listen": "127.0.0.1:0", "control": address, "door": door}
        yield Cluster(first, beside, spawn("gateway", {**at, **(gateway or {})}))
