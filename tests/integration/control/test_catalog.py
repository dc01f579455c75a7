"""The catalog of a real control: examples, changes while it runs, and what it refuses then."""

import os
import re
import signal
from pathlib import Path

import grpc
import pytest
from geniehive.v1 import routing_service_pb2 as pb
from geniehive.v1 import routing_service_pb2_grpc as pb_grpc

from control.rules.catalog import read_catalog
from tests.conformance.project import ROOT
from tests.processes import Service, wait_until

EXAMPLES = sorted((ROOT / "configs").glob("roles-*.yaml"))
SECONDS = 20.0  # usually two: one until a change is seen, one until it has settled


def roles(*names: str) -> str:
    return "roles: [" + ", ".join(f"{{role_id: {name}, operation: chat}}" for name in names) + "]"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    path = tmp_path / "roles.yaml"
    path.write_text(roles("mentor"))
    return path


@pytest.fixture
def control(tmp_path: Path, spawn, catalog: Path) -> Service:
    settings = {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(tmp_path / "geniehive.sqlite3")},
        "registry": {"grace_s": 0},
        "roles_path": str(catalog),
    }
    return spawn("control", settings)


def answer(control: Service, name: str) -> grpc.StatusCode:
    """Return what control says of a name that no service has."""
    with grpc.insecure_channel(f"127.0.0.1:{control.port()}") as channel:
        stub = pb_grpc.RoutingServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ResolveRoute(pb.ResolveRouteRequest(model=name), timeout=10)
    return caught.value.code()


def wait_for(control: Service, name: str, code: grpc.StatusCode) -> None:
    wait_until(lambda: answer(control, name) is code, SECONDS, f"{code} for {name}")


KNOWN, UNKNOWN = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND


def test_a_changed_catalog_is_followed_and_removed_roles_are_gone(control, catalog):
    wait_for(control, "mentor", KNOWN)

    new = catalog.with_name("new")
    new.write_text(roles("critic"))
    os.replace(new, catalog)

    wait_for(control, "critic", KNOWN)
    assert answer(control, "mentor") is UNKNOWN
    assert "roles: added critic; removed mentor" in control.logged()


def test_sighup_makes_it_read_again_at_once(control, catalog):
    wait_for(control, "mentor", KNOWN)

    catalog.write_text(roles("mentor", "critic"))
    control.process.send_signal(signal.SIGHUP)

    wait_for(control, "critic", KNOWN)
    assert answer(control, "mentor") is KNOWN


def test_what_cannot_be_used_leaves_everything_as_it_was(control, catalog):
    wait_for(control, "mentor", KNOWN)

    catalog.write_text(roles("mentor").replace("chat", "chatt"))
    problem = re.compile(r"ERROR .*roles\.yaml:1: operation: .*; routing stays as it was")
    control.wait_for_log(problem, SECONDS)
    assert answer(control, "mentor") is KNOWN

    catalog.unlink()
    control.process.send_signal(signal.SIGHUP)
    control.wait_for_log(re.compile(r"no such file or directory; routing stays"), SECONDS)
    assert answer(control, "mentor") is KNOWN
    assert len(problem.findall(control.logged())) == 1

    catalog.write_text(roles("critic"))
    control.process.send_signal(signal.SIGHUP)
    wait_for(control, "critic", KNOWN)


def test_settings_are_followed_and_others_wait_for_a_restart(control, catalog, tmp_path):
    control.port()
    (settings,) = tmp_path.glob("control-*.yaml")

    text = settings.read_text().replace("grace_s: 0", "grace_s: 1")
    settings.write_text(f"{text}routing: {{default_strategy: scored}}\n")
    control.process.send_signal(signal.SIGHUP)

    control.wait_for_log(re.compile(r"routing\.default_strategy: scored"), SECONDS)
    control.wait_for_log(re.compile(r"waiting for a restart: registry$", re.MULTILINE), SECONDS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_control_starts_with_each_example(tmp_path, spawn, example):
    settings = {
        "deployment_profile": "foundation",
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(tmp_path / "geniehive.sqlite3")},
    }
    control = spawn("control", settings, GENIEHIVE_ROLES_CONFIG=str(example))
    control.port()

    assert f"roles: {len(read_catalog(example).roles)} in {example}" in control.logged()
    assert "ERROR" not in control.logged()
