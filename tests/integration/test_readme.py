"""The commands of the README work as they are written; only addresses are put in."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import httpx
import pytest
import yaml

from control.api.settings import load
from tests.integration.cluster import Cluster, running_cluster
from tests.integration.conftest import ROOT
from tests.processes import Service, stop_all

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
GATEWAY = "http://127.0.0.1:8800"
CONTROL = "192.168.1.20:8801"
# These run until they are stopped; other tests start them.
SERVICES = re.compile(
    r"^(?:[A-Z_]+=\S+ )?(?:make run|make test|geniehive (?:control|node|gateway|up)\b)"
)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def written(name: str) -> str:
    """Return the block that is the file `name`.yaml."""
    (text,) = (text for text in blocks("yaml") if text.startswith(f"# {name}.yaml"))
    return text


def commands() -> list[str]:
    """Return every command of a shell block that ends by itself."""
    joined = "".join(blocks("sh")).replace("\\\n", "")
    return [line for line in joined.splitlines() if not SERVICES.match(line)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that serves the model of the README, by a fake engine."""
    folder = tmp_path_factory.mktemp("cluster")
    engine = Service(["tests.fakes.engine", "--model", "smollm2-135m"], folder / "engine.log")
    try:
        services = [{"service_id": "demo", "endpoint": f"http://127.0.0.1:{engine.port()}"}]
        (catalog := folder / "roles.yaml").write_text(written("roles"))
        with running_cluster(folder, services, control={"roles_path": str(catalog)}) as running:
            running.wait_for_model("smollm2-135m")
            yield running
    finally:
        stop_all([engine])


def ran(command: list[str], cluster: Cluster) -> str:
    binaries = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "GENIEHIVE_CONTROL": cluster.control_address,
        "GENIEHIVE_GATEWAY": cluster.url,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("command", commands())
def test_shell_commands_run(command, cluster):
    here = command.replace(GATEWAY, cluster.url).replace(CONTROL, cluster.control_address)
    said = ran(["sh", "-c", here], cluster)
    assert "error" not in said
    assert said


@pytest.mark.parametrize("code", blocks("python"))
def test_python_code_runs(code, cluster):
    assert "word" in ran([sys.executable, "-c", code.replace(GATEWAY, cluster.url)], cluster)


@pytest.mark.parametrize("name", ["control", "gateway", "node"])
def test_settings_load(name, tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text(written(name))

    load(file, import_module(f"{name}.config").Config, strict=True)


def test_the_roles_of_the_catalog_answer(cluster):
    hello = {"messages": [{"role": "user", "content": "Say hello"}]}
    for role in yaml.safe_load(written("roles"))["roles"]:
        body = {"model": role["role_id"], **hello}
        answer = httpx.post(f"{cluster.url}/v1/chat/completions", json=body, trust_env=False)
        assert answer.headers["x-geniehive-service"] == "h1/demo", answer.text
