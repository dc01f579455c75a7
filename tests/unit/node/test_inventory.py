"""What would be registered, looked at once, on any system."""

import json
import subprocess
import sys

import pytest

from control.api import cluster_documents
from node import config
from node.inventory import inventory, look_once
from node.state import (
    Contribution,
    Gpu,
    Host,
    Machine,
    Metrics,
    ModelFile,
    Observation,
    Report,
    Service,
    Watched,
)
from tests.unit.node.gguf_files import header, string

SERVICE = Service("h/llm", "http://127.0.0.1:1", "chat", api_key="canary")
REPORT = Report(
    Host("h", gpus=(Gpu("G", "RTX"),), contribution=Contribution(thermal_ceiling_celsius=80.0)),
    Metrics(on_ac_power=True),
    (Watched(SERVICE, Observation("healthy", availability="paused_by_user")),),
    Machine((ModelFile("/m/a.gguf", 7, "A"),), 3, ("p",)),
)


def test_it_is_the_document_that_control_has_of_a_host():
    told = cluster_documents.host_inventory(inventory(REPORT))

    assert told["resources"]["discovered_model_count"] == 3
    assert told["resources"]["discovered_models"][0]["path"] == "/m/a.gguf"
    assert told["resources"]["problems"] == ["p"]
    assert told["resources"]["contribution_policy"]["thermal_ceiling_c"] == 80.0
    assert told["metrics"]["on_ac_power"] is True
    (service,) = told["services"]
    assert (service["service_id"], service["host_id"]) == ("h/llm", "h")
    assert service["runtime"]["has_api_key"]
    assert not service["state"]["routable"]


def test_it_holds_no_key():
    assert b"canary" not in inventory(REPORT).SerializeToString()


@pytest.mark.anyio
async def test_everything_is_looked_at_once_without_control(tmp_path):
    (tmp_path / "a.gguf").write_bytes(header({"general.name": string("A")}))
    settings = config.Config.model_validate(
        {
            "control": "192.0.2.1:1",
            "node": {"host_id": "h"},
            "inventory": {"model_roots": [str(tmp_path), str(tmp_path / "nowhere")]},
            "services": [{"service_id": "llm", "endpoint": "http://127.0.0.1:9"}],
        }
    )
    found = await look_once(settings, {})

    assert found.host.resources.memory_bytes > 0
    assert [one.name for one in found.machine.model_files] == ["A"]
    assert list(found.machine.problems) == [f"{tmp_path / 'nowhere'}: no such file or directory"]
    assert found.services[0].service.observation.detail != "not looked at yet"


# What the standard library itself needs here is loaded before it is hidden.
WITHOUT_POSIX = """
import asyncio, json, subprocess, sys, tempfile
import grpc, httpx, psutil, pydantic, yaml
HIDDEN = {
    "crypt", "fcntl", "grp", "nis", "posix_ipc", "pty", "pwd", "readline", "resource", "spwd",
    "syslog", "termios", "tty", "uvloop",
}

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name in HIDDEN:
            raise ModuleNotFoundError(f"{name} is not on this system", name=name)

for name in HIDDEN:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hide())
import os, signal
for name in ("O_NONBLOCK", "getuid", "geteuid", "fork", "set_blocking", "uname"):
    delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE"):
    delattr(signal, name)
asyncio.AbstractEventLoop.add_signal_handler = None

import importlib, pkgutil, node
for found in pkgutil.walk_packages(node.__path__, "node."):
    importlib.import_module(found.name)
from node.config import Config
from node.inventory import look_once
settings = Config.model_validate(json.loads(sys.argv[1]))
told = asyncio.run(look_once(settings, {}))
print(told.host.resources.cpu_threads, told.machine.model_file_count, len(told.services))
print(sorted(HIDDEN & set(sys.modules)))
"""


def test_a_system_without_posix_runs_it(tmp_path):
    """Every module of the node is imported, with what only POSIX has hidden from it."""
    (tmp_path / "a.gguf").write_bytes(header({}))
    settings = {
        "inventory": {"model_roots": [str(tmp_path)], "idle_only": True},
        "services": [{"service_id": "llm", "endpoint": "http://127.0.0.1:9"}],
        "node": {"host_id": "h"},
    }
    ended = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_POSIX, json.dumps(settings)],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )

    assert ended.returncode == 0, ended.stderr
    threads, files, services = ended.stdout.splitlines()[0].split()
    assert (int(threads) > 0, files, services) == (True, "1", "1")
    assert ended.stdout.splitlines()[1] == "[]"
