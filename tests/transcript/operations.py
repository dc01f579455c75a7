"""What grpcurl says of a small cluster: `python -m tests.transcript.operations`.

Writes the answers in docs/operations.md. Commands are those of the page; whatever differs
from one run to the next is told as it might be.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1.discovery_service_pb2_grpc import DiscoveryServiceStub

from control.api.channel import sync_channel
from tests.processes import START_SECONDS, Service, spawning, stop_all, wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs/operations.md"
ADDRESS = "127.0.0.1:8801"  # of control, on the page
KEYS = {
    "operator_api_keys": ["sk-operator"],
    "admin_api_keys": ["sk-admin"],
    "gateway_api_keys": ["sk-gateway"],
    "node_api_keys": ["sk-node"],
}
HOSTS = {
    "gpu-1": ("trusted", "Qwen3-8B"),
    "laptop": ("employee_device", "Qwen3-4B"),
}
ROLES = {
    "roles": [
        {
            "role_id": "mentor",
            "operation": "chat",
            "description": "Explains patiently",
            "prompt_policy": {"system_prompt": "You are a patient mentor."},
            "routing_policy": {"preferred_families": ["qwen3"], "min_context": 4096},
        }
    ]
}
# Some of what is shown comes with a second beat.
BEATS = {"grace_s": 0, "heartbeat_interval_s": 0.5, "lease_intervals": 20}
EXAMPLE = re.compile(r"^```console\n(?P<command>\$ .*\n(?:> .*\n)*)(?:.*\n)*?```$", re.M)
SETUP = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)

MOMENT = re.compile(r"\b20\d\d-\d\d-\d\dT[\d:.]+Z")
AGE = re.compile(r"\b\d+s (?=ago|old)")
LOCAL_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")
# What a run cannot know of another one, by its name in JSON, and what the page says of it.
CHANGING = {
    "route_version": '"12"',
    "route_age": '"42.500s"',
    "uptime": '"97.125s"',
    "control_version": '"1.0.0"',
    "node_key_id": '"static:1f3a9c02"',
    "report_age": '"1.204s"',
    "benchmark_age": '"1.500s"',
    "revision": '"2"',
    "cpu_threads": "16",
    "memory_bytes": '"67108864000"',
    "cpu_utilization": "0.07",
    "memory_available_bytes": '"42949672960"',
}
FIELD = re.compile(rf'"({"|".join(CHANGING)})": ("[^"]*"|[\d.e-]+)')


@contextmanager
def running() -> Iterator[str]:
    """Run a small cluster; yield control's address."""
    with small_cluster() as (control, _):
        yield control


@contextmanager
def small_cluster(**routing: object) -> Iterator[tuple[str, str]]:
    """Run control, two nodes with an engine each, and a gateway.

    Yields control's address and the gateway's URL. routing: control's settings of this section.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (roles := folder / "roles.yaml").write_text(yaml.safe_dump(ROLES))
        spawn = stack.enter_context(spawning(folder))
        settings = {
            "listen": "127.0.0.1:0",
            "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
            "registry": BEATS,
            "roles_path": str(roles),
            "auth": KEYS,
            "routing": routing,
        }
        control = f"127.0.0.1:{spawn('control', settings).port()}"
        for host_id, (tier, asset_id) in HOSTS.items():
            engine = Service(
                ["tests.fakes.engine", "--model", asset_id], folder / f"{host_id}.engine.log"
            )
            stack.callback(stop_all, [engine])
            service = {
                "service_id": "llama",
                "endpoint": f"http://127.0.0.1:{engine.port()}",
                "assets": [{"asset_id": asset_id, "loaded": True, "context_size": 8192}],
            }
            node = {
                "control": control,
                "node": {"host_id": host_id},
                "inventory": {"trust_tier": tier},
                "services": [service],
            }
            spawn("node", node, GENIEHIVE_NODE_KEY="sk-node")
        gateway = {"listen": "127.0.0.1:0", "control": control}
        front = spawn("gateway", gateway, GENIEHIVE_GATEWAY_KEY="sk-gateway")
        url = f"http://127.0.0.1:{front.port()}"
        discovery = DiscoveryServiceStub(stack.enter_context(sync_channel(control)))
        wait_until(lambda: _is_whole(discovery), START_SECONDS, "all are there, and tell all")
        yield control, url


def made(page: str, control: str) -> str:
    """Return `page` with the answers that its commands get from a running control."""
    setup = "".join(SETUP.findall(page))

    def example(found: re.Match[str]) -> str:
        command = found["command"]
        return f"```console\n{command}{_answer(setup, command, control)}```"

    return EXAMPLE.sub(example, page)


def _answer(setup: str, command: str, control: str) -> str:
    line = command.removeprefix("$ ").replace("\n> ", "\n")
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    script = MOMENT.sub(now, f"{setup}\n{line}".replace(ADDRESS, control))
    binaries = str(Path(sys.executable).parent)
    done = subprocess.run(
        ["sh", "-c", script],
        env={**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    return _masked(done.stdout + done.stderr)


def _masked(answer: str) -> str:
    if answer.startswith("{"):
        answer = json.dumps(json.loads(answer), indent=2) + "\n"
    answer = FIELD.sub(lambda one: f'"{one[1]}": {CHANGING[one[1]]}', answer)
    answer = AGE.sub("0s ", LOCAL_PORT.sub("8080", answer))
    return MOMENT.sub("2026-01-31T09:00:00Z", answer)


def _is_whole(discovery: Any) -> bool:
    """Return whether everything is there that the page shows."""
    key = (("authorization", f"Bearer {KEYS['operator_api_keys'][0]}"),)
    hosts = discovery.ListHosts(pb.ListHostsRequest(), metadata=key).hosts
    services = discovery.ListServices(pb.ListServicesRequest(routable=True), metadata=key).services
    sums = discovery.GetClusterHealth(pb.GetClusterHealthRequest(), metadata=key)
    return (
        len(services) == len(HOSTS) == sums.loaded_asset_count
        and all(one.metrics.HasField("cpu_utilization") for one in hosts)
        and any(one.roles for one in services)
        and sums.gateway_count == 1
        and sums.settled
    )


def main() -> None:
    """Ask, and write the page."""
    with running() as control:
        PAGE.write_text(made(PAGE.read_text(), control))


if __name__ == "__main__":
    main()
