"""A real llama.cpp server with an API key: it serves, its key may change, and nobody tells it."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc, routing_service_pb2_grpc
from geniehive.v1 import routing_service_pb2 as routing_pb

from control.api.channel import sync_channel
from tests.integration.cluster import Cluster
from tests.integration.conftest import start_llamacpp
from tests.processes import START_SECONDS, Service, spawning, stop_all, wait_until

MODEL = "smollm2-135m"
ASK = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
FIRST, SECOND = "canary-first", "canary-second"
REGISTERED = re.compile("registered as h1")


class Keyed:
    """A cluster whose only service is an engine that asks for a key."""

    def __init__(self, spawn, folder: Path, engine_folder: Path) -> None:
        self._spawn = spawn
        self._log = engine_folder / "engine.log"
        self.folder = folder
        self.engine: Service | None = None
        self.engine_port = 0
        self.control_port = 0

    def start_engine(self, key: str) -> None:
        """Start the engine, with another key than before, where it was."""
        if self.engine is not None:
            stop_all([self.engine])
        self.engine = start_llamacpp(self._log, self.engine_port, key)
        self.engine_port = self.engine.port()

    def start_control(self) -> Service:
        """Start control, where it was."""
        settings = {
            "listen": f"127.0.0.1:{self.control_port}",
            "storage": {"sqlite_path": str(self.folder / "geniehive.sqlite3")},
            "registry": {"heartbeat_interval_s": 0.5, "grace_s": 2},  # so that it returns soon
        }
        control = self._spawn("control", settings)
        self.control_port = control.port()
        return control

    def start_node(self, key: str) -> Service:
        """Start the node with what it takes for the key of the engine."""
        service = {
            "service_id": "llama",
            "endpoint": f"http://127.0.0.1:{self.engine_port}",
            "api_key_env": "LLAMA_KEY",
        }
        settings = {"control": self.control, "node": {"host_id": "h1"}, "services": [service]}
        return self._spawn("node", settings, LLAMA_KEY=key)

    def start_gateway(self) -> Service:
        """Start another gateway."""
        return self._spawn("gateway", {"listen": "127.0.0.1:0", "control": self.control})

    @property
    def control(self) -> str:
        return f"127.0.0.1:{self.control_port}"


@pytest.fixture
def keyed(tmp_path, tmp_path_factory) -> Iterator[Keyed]:
    with spawning(tmp_path) as spawn:
        cluster = Keyed(spawn, tmp_path, tmp_path_factory.mktemp("engine"))
        cluster.start_engine(FIRST)
        try:
            yield cluster
        finally:
            stop_all([cluster.engine])


def asked(url: str) -> tuple[int, str]:
    """Return the status of a chat, and the code of its error."""
    answer = httpx.post(f"{url}/v1/chat/completions", json=ASK, trust_env=False, timeout=30)
    return answer.status_code, "" if answer.is_success else answer.json()["error"]["code"]


def views(keyed: Keyed, url: str) -> Iterator[str]:
    """Yield what operators and clients can see of the service."""
    with sync_channel(keyed.control) as channel:
        discovery = discovery_service_pb2_grpc.DiscoveryServiceStub(channel)
        routing = routing_service_pb2_grpc.RoutingServiceStub(channel)
        service = discovery.GetService(pb.GetServiceRequest(service_id="h1/llama"))
        assert service.service.service.has_api_key
        yield str(service)
        yield str(discovery.ListServices(pb.ListServicesRequest()))
        yield str(discovery.GetHostInventory(pb.GetHostInventoryRequest(host_id="h1")))
        yield str(routing.ResolveRoute(routing_pb.ResolveRouteRequest(model=MODEL)))
    for path in ("/v1/models", f"/v1/models/{MODEL}", "/v1/cluster/services", "/health"):
        yield httpx.get(url + path, trust_env=False).text


def test_it_serves_while_its_key_and_everybody_who_holds_it_change(keyed: Keyed):
    control = keyed.start_control()
    node = keyed.start_node(FIRST)
    gateway = keyed.start_gateway()
    url = f"http://127.0.0.1:{gateway.port()}"
    Cluster(control, node, gateway).wait_for_model(MODEL)
    assert asked(url) == (200, "")

    # The engine gets another key, then the node.
    keyed.start_engine(SECOND)
    # The node may have noticed before the gateway does.
    assert asked(url) in ((502, "upstream_auth_failed"), (503, "no_healthy_route"))
    node.stop()
    node = keyed.start_node(SECOND)
    node.wait_for_log(REGISTERED)
    wait_until(lambda: asked(url) == (200, ""), START_SECONDS, "it is called with the new key")

    # Control forgets the key, and is told it again; meanwhile who has it needs nobody.
    control.kill()
    assert asked(url) == (200, "")
    control = keyed.start_control()
    later = keyed.start_gateway()
    Cluster(control, node, later).wait_for_model(MODEL)
    for one in (url, f"http://127.0.0.1:{later.port()}"):
        wait_until(lambda one=one: asked(one) == (200, ""), START_SECONDS, "it serves again")

    # Whoever looked for the key meanwhile found none.
    remembered = keyed.folder / "gateway-2-state" / "gateway.last-good"
    wait_until(remembered.exists, START_SECONDS, "the gateway keeps what it knows")
    for shown in views(keyed, url):
        assert "canary" not in shown
    files = {path.name: path.read_bytes() for path in keyed.folder.rglob("*") if path.is_file()}
    assert {"geniehive.sqlite3", "geniehive.sqlite3-wal", "gateway.last-good"} <= files.keys()
    assert [name for name, content in files.items() if b"canary" in content] == []


def test_with_another_key_it_is_not_routed_to_and_its_node_says_what_to_do(keyed: Keyed):
    control = keyed.start_control()
    node = keyed.start_node("canary-wrong")

    node.wait_for_log(REGISTERED)
    with sync_channel(keyed.control) as channel:
        discovery = discovery_service_pb2_grpc.DiscoveryServiceStub(channel)

        def status() -> pb.ServiceStatus:
            return discovery.GetService(pb.GetServiceRequest(service_id="h1/llama")).service

        said = "refuses its API key (401); see api_key_env"
        wait_until(
            lambda: status().service.observation.detail.startswith(said), START_SECONDS, said
        )
        assert not status().routable
    assert "canary" not in node.logged() + control.logged()
