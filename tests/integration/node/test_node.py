"""A node process against a real control: what happens to its registration."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing

import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as rpc
from geniehive.v1 import inventory_pb2 as inventory

from control.api.channel import sync_channel
from tests.processes import START_SECONDS, Service, wait_until

REGISTERED = re.compile(r"registered as (\S+) \(1 services\)$", re.MULTILINE)
# The goal is 5 s; a test allows ten times that on a busy machine.
BACK_SECONDS = 50.0
# The goal is 3 s: 2 for giving the lease back, and a second for everything else.
STOP_SECONDS = 10.0


class Control:
    """A control process that can be killed and started again on its port."""

    def __init__(self, folder, spawn):
        self.folder = folder
        self.spawn = spawn
        self.address = "127.0.0.1:0"
        self.process = None

    def start(self, store="first.sqlite3"):
        settings = {
            "listen": self.address,
            "storage": {"sqlite_path": str(self.folder / store)},
            "registry": {"heartbeat_interval_s": 0.5},
        }
        self.process = self.spawn("control", settings)
        self.address = f"127.0.0.1:{self.process.port()}"

    def listed(self):
        """Return the host, and how its services are."""
        with closing(sync_channel(self.address)) as channel:
            stub = rpc.DiscoveryServiceStub(channel)
            host = stub.GetHost(pb.GetHostRequest(host_id="h1"), timeout=5).host
            return host, stub.ListServices(pb.ListServicesRequest(), timeout=5).services

    def observations(self):
        """Return what is seen by service id; nothing while control does not know a host."""
        with closing(sync_channel(self.address)) as channel:
            stub = rpc.DiscoveryServiceStub(channel)
            listed = stub.ListServices(pb.ListServicesRequest(), timeout=5).services
        return {one.service.service_id: one.service.observation for one in listed}

    def services(self):
        """Return health by service id."""
        return {service_id: seen.health for service_id, seen in self.observations().items()}

    def details(self):
        """Return by service id why it is not healthy."""
        return {service_id: seen.detail for service_id, seen in self.observations().items()}


@pytest.fixture
def control(tmp_path, spawn):
    started = Control(tmp_path, spawn)
    started.start()
    return started


@pytest.fixture
def engine_process(tmp_path):
    """`engine_process(port)` starts a fake engine as a process that a test may kill."""
    started = []

    def start(port=0):
        arguments = ["tests.fakes.engine", "--model", "small", "--port", str(port)]
        started.append(Service(arguments, tmp_path / "engine.log"))
        return started[-1]

    yield start
    for service in started:
        service.kill()


@pytest.fixture
def start_node(control, spawn):
    def start(url, **more):
        services = [{"service_id": "x", "endpoint": url}]
        settings = {"control": control.address, "node": {"host_id": "h1"}, "services": services}
        return spawn("node", {**settings, **more})

    return start


def test_an_engine_that_goes_and_comes_is_told_at_once(control, start_node, engine_process):
    engine = engine_process()
    port = engine.port()
    start_node(f"http://127.0.0.1:{port}").wait_for_log(REGISTERED)
    assert control.services() == {"h1/x": inventory.HEALTH_HEALTHY}

    engine.kill()
    down = {"h1/x": inventory.HEALTH_UNHEALTHY}
    wait_until(lambda: control.services() == down, BACK_SECONDS, "the engine is down")

    engine_process(port)
    up = {"h1/x": inventory.HEALTH_HEALTHY}
    wait_until(lambda: control.services() == up, BACK_SECONDS, "the engine is up")


@pytest.mark.parametrize("store", ["first.sqlite3", "empty.sqlite3"], ids=["kept", "emptied"])
def test_node_comes_back_to_a_control_that_was_killed(control, start_node, fake_engine, store):
    start_node(fake_engine).wait_for_log(REGISTERED)
    control.process.kill()
    control.start(store)

    healthy = {"h1/x": inventory.HEALTH_HEALTHY}
    wait_until(lambda: control.services() == healthy, BACK_SECONDS, "the node is back")


def test_what_is_declared_is_listed_and_outlives_control(control, start_node, fake_engine):
    policy = {"system_prompt": "be brief", "body_defaults": {"top_p": 0.9}}
    asset = {"asset_id": "mine", "family": "Qwen3-8B", "request_policy": policy}
    service = {"service_id": "x", "endpoint": fake_engine, "engine": "openai", "assets": [asset]}
    start_node(
        fake_engine,
        services=[{**service, "state": {"availability": "draining"}, "load_mode": "on_request"}],
        inventory={"trust_tier": "employee_device", "workload_classes": ["background"]},
    ).wait_for_log(REGISTERED)
    before = control.listed()
    host, (status,) = before

    assert (host.trust_tier, host.workload_classes) == ("employee_device", ["background"])
    assert not status.routable
    assert status.service.observation.availability == inventory.AVAILABILITY_DRAINING
    assert status.service.load_mode == inventory.LOAD_MODE_ON_REQUEST
    declared, *listed = status.service.assets
    assert (declared.family, declared.request_policy.system_prompt) == ("Qwen3-8B", "be brief")
    assert json.loads(declared.request_policy.body_defaults) == {"top_p": 0.9}
    assert all(not one.HasField("request_policy") for one in listed)

    control.process.kill()
    control.start()
    host, (status,) = control.listed()
    assert (host.trust_tier, host.workload_classes) == ("employee_device", ["background"])
    assert status.service.assets == before[1][0].service.assets


@pytest.fixture
def silent_engine():
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_no_engine_keeps_the_others_from_being_registered(
    control, start_node, fake_engine, silent_engine
):
    services = [
        {"service_id": "x", "endpoint": fake_engine},
        {"service_id": "silent", "endpoint": silent_engine, "engine": "llamacpp"},
    ]
    node = start_node("", services=services)
    node.wait_for_log(re.compile(r"registered as h1 \(2 services\)"))

    assert control.services()["h1/x"] == inventory.HEALTH_HEALTHY
    assert control.details()["h1/silent"] == "not looked at yet"


def test_no_engine_keeps_the_node_from_stopping(spawn, silent_engine):
    services = [{"service_id": "x", "endpoint": silent_engine, "engine": "llamacpp"}]
    settings = {"control": "127.0.0.1:1", "node": {"host_id": "h1"}, "services": services}
    node = spawn("node", settings)
    node.wait_for_log(re.compile("control is silent"))
    node.process.terminate()

    assert node.process.wait(STOP_SECONDS) == 0


def test_second_instance_waits_until_the_first_is_gone(control, start_node, fake_engine):
    first = start_node(fake_engine)
    first.wait_for_log(REGISTERED)
    second = start_node(fake_engine)

    second.wait_for_log(re.compile("control refuses this host: .*h1"))
    first.kill()

    second.wait_for_log(REGISTERED, BACK_SECONDS)


def test_node_that_stops_takes_its_host_along(control, start_node, fake_engine):
    node = start_node(fake_engine)
    node.wait_for_log(REGISTERED)
    node.stop()

    assert control.services() == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_node_without_control_stops_in_order(spawn, fake_engine, number):
    node = spawn("node", {"control": "127.0.0.1:1", "node": {"host_id": "h1"}})
    node.wait_for_log(re.compile("control is silent"))
    node.process.send_signal(number)

    assert node.process.wait(START_SECONDS) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("control: [1]", "node.yaml:1: control:"),
        (
            "control_plane:\n  base_url: http://10.0.0.5:8800",
            "write instead `control: 10.0.0.5:8801`",
        ),
        ("a: &a [*a]", "node.yaml:1:"),
        ("tls: {ca: /nowhere/ca.pem}", "tls: /nowhere/ca.pem: no such file or directory"),
        (
            "node: {host_id: h}\n"
            "services: [{service_id: x, endpoint: 'http://a', api_key_env: NO_SUCH_KEY}]",
            "services[0].api_key_env of h/x: NO_SUCH_KEY is not set; set it to the key",
        ),
        (None, "node.yaml: no such file or directory"),
    ],
    ids=["type", "retired", "alias", "tls", "no-key", "missing"],
)
def test_unusable_settings_are_one_line_and_exit_2(tmp_path, text, said):
    path = tmp_path / "node.yaml"
    if text is not None:
        path.write_text(text)
    command = [sys.executable, "-P", "-m", "node", "--config", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_key_with_a_line_end_is_one_line_that_does_not_show_it():
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "node"],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        env={**os.environ, "GENIEHIVE_NODE_KEY": "s3cret\n"},
    )

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: GENIEHIVE_NODE_KEY holds no key: ")
    assert ended.stderr.count("\n") == 1
    assert "s3cret" not in ended.stderr
