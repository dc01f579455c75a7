"""The real door of a node in this process, for services that a test names."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from geniehive.v1 import inventory_pb2 as inventory

from node.config import Config
from node.config import Relay as Settings
from node.relay import Relay
from node.state import Host, Metrics, Observation, Report, Service, Watched


class NodeDoor(Relay):
    """A relay with what it needs to be known by."""

    def offer(self, **urls: str) -> None:
        """Relay for these services and no others: URL by service id, `_` for its slash."""
        services = (Service(name.replace("_", "/"), url, "chat") for name, url in urls.items())
        watched = tuple(Watched(one, Observation("healthy")) for one in services)
        self.through(Report(Host("h"), Metrics(), watched))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def message(self) -> inventory.NodeRelay:
        return inventory.NodeRelay(address=self.address, token=self.token)


@asynccontextmanager
async def node_door(**settings: object) -> AsyncIterator[NodeDoor]:
    """Open a door on a port of the kernel's choice; settings: of `relay`."""
    relay = Settings.model_validate({"listen": "127.0.0.1:0", "mode": "always", **settings})
    door = NodeDoor(Config(relay=relay), secrets.token_urlsafe(32), lambda: None)
    await door.open()
    try:
        yield door
    finally:
        await door.close()
