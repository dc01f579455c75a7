"""Operators reach control with grpcurl and buf curl, without our `.proto` files."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, missing
from tests.processes import spawning

OPERATOR = "sk-operator"
SERVICES = [
    "geniehive.v1.DiscoveryService",
    "geniehive.v1.RegistryService",
    "geniehive.v1.RoutingService",
    "grpc.health.v1.Health",
]
AS_OPERATOR = ["-H", f"authorization: Bearer {OPERATOR}"]


@pytest.fixture(scope="module")
def control(tmp_path_factory) -> Iterator[str]:
    """Control that asks operators for a key; its address."""
    folder = tmp_path_factory.mktemp("control")
    settings = {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(folder / "geniehive.sqlite3")},
        # A kind of caller without keys is not checked, and gateways may read the same.
        "auth": {
            "operator_api_keys": [OPERATOR],
            "admin_api_keys": ["sk-admin"],
            "gateway_api_keys": ["sk-gateway"],
            "node_api_keys": ["sk-node"],
        },
    }
    with spawning(folder) as spawn:
        yield f"127.0.0.1:{spawn('control', settings).port()}"


def ran(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def grpcurl(*arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("grpcurl", path=str(Path(sys.executable).parent))
    if found is None:
        missing("grpcurl is not in the environment of the tests")
    return ran([found, "-plaintext", *arguments])


def buf_curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    buf = ROOT / ".node/buf"
    if not buf.exists():
        missing("buf is not there; make buf fetches it, with node")
    return ran([str(buf), "curl", "--protocol", "grpc", "--http2-prior-knowledge", *arguments])


def test_grpcurl_lists_services(control):
    listed = grpcurl(*AS_OPERATOR, control, "list")
    assert set(SERVICES) <= set(listed.stdout.split()), listed.stderr


def test_grpcurl_describes_a_service(control):
    described = grpcurl(*AS_OPERATOR, control, "describe", "geniehive.v1.DiscoveryService")
    assert "rpc GetClusterHealth" in described.stdout, described.stderr


def test_grpcurl_calls(control):
    called = grpcurl(
        *AS_OPERATOR,
        "-d",
        '{"page_size": 5}',
        control,
        "geniehive.v1.DiscoveryService/ListHosts",
    )
    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout) == {}


def test_grpcurl_without_a_key_is_refused(control):
    called = grpcurl(control, "geniehive.v1.DiscoveryService/ListHosts")

    assert called.returncode != 0
    assert "Unauthenticated" in called.stderr


def test_grpcurl_sees_health(control):
    called = grpcurl(control, "grpc.health.v1.Health/Check")
    assert json.loads(called.stdout) == {"status": "SERVING"}, called.stderr


def test_buf_curl_lists_methods(control):
    listed = buf_curl(*AS_OPERATOR, "--list-methods", f"http://{control}")
    assert "geniehive.v1.RoutingService/ResolveRoute" in listed.stdout, listed.stderr


def test_buf_curl_calls(control):
    url = f"http://{control}/geniehive.v1.DiscoveryService/GetClusterHealth"
    called = buf_curl(*AS_OPERATOR, url)

    assert called.returncode == 0, called.stderr
    assert json.loads(called.stdout)["controlVersion"]


def test_buf_curl_reads_an_error(control):
    url = f"http://{control}/geniehive.v1.DiscoveryService/GetHost"
    called = buf_curl(*AS_OPERATOR, "-d", '{"host_id": "nobody"}', url)

    # buf's exit code is the gRPC code times eight.
    assert called.returncode == 8 * 5, called.stderr
    assert "not_found" in called.stderr
