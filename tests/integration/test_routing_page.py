"""The examples of docs/routing.md: its catalog, what it makes of a request, and why."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from cli.settings_files import check
from control.api.strategies import Strategy
from control.ranking.eligibility import OF_DIRECT_REQUESTS, OF_OWNERS, OF_ROLES
from tests.fakes.answers import Answer, completion, document
from tests.fakes.engine import Engine, Request
from tests.integration.conftest import ROOT
from tests.processes import START_SECONDS, spawning, wait_until

PAGE = (ROOT / "docs/routing.md").read_text()
HOSTS = {
    "gpu-1": ("trusted", "Qwen3-8B"),
    "laptop": ("employee_device", "Qwen3-4B"),
    "old-pc": ("", "mistral-7b"),
}


@dataclass(frozen=True, slots=True)
class Cluster:
    url: str
    control: str


def section(heading: str) -> str:
    """Return what stands below a heading."""
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def blocks(language: str, heading: str) -> list[str]:
    """Return the blocks of a language below a heading."""
    return re.findall(rf"^```{language}\n(.*?)^```", section(heading), re.M | re.S)


def first_column(heading: str) -> set[str]:
    """Return the names in the first column of the tables below a heading."""
    cells = re.findall(r"^\| (`[^|]*) \|", section(heading), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def echo(request: Request) -> Answer:
    """Answer with the request itself."""
    if request.method == "GET":
        return document({"data": [{"id": asset_id} for _, asset_id in HOSTS.values()]})
    return document(completion(request.body.decode(), "m"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("cluster")
    (folder / "roles.yaml").write_text(blocks("yaml", "The catalog")[0])
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Engine(echo)) as engine,
        spawning(folder) as spawn,
    ):
        storage = {"sqlite_path": str(folder / "geniehive.sqlite3")}
        settings = {
            "listen": "127.0.0.1:0",
            "storage": storage,
            "roles_path": str(folder / "roles.yaml"),
        }
        address = f"127.0.0.1:{spawn('control', settings).port()}"
        for host_id, (tier, asset_id) in HOSTS.items():
            asset = {"asset_id": asset_id, "loaded": True, "context_size": 8192}
            service = {"service_id": "llama", "endpoint": engine.url, "assets": [asset]}
            spawn(
                "node",
                {
                    "control": address,
                    "node": {"host_id": host_id},
                    "inventory": {"trust_tier": tier},
                    "services": [service],
                },
            )
        gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": address})
        running = Cluster(f"http://127.0.0.1:{gateway.port()}", address)
        wait_until(lambda: _is_whole(running), START_SECONDS, "all hosts are known, and the model")
        yield running


def _is_whole(cluster: Cluster) -> bool:
    """Return whether the gateway knows who serves the role, and control what is loaded."""
    answer = httpx.get(f"{cluster.url}/v1/models/mentor", trust_env=False)
    serving = answer.json()["geniehive"]["services"] if answer.is_success else []
    told = explained(cluster, "mentor")
    return len(serving) == told.count("0.35 loaded") == 2 and "laptop/llama" in told


def explained(cluster: Cluster, name: str) -> str:
    command = [sys.executable, "-P", "-m", "cli", "route", "explain", name]
    return subprocess.run(
        [*command, "--control", cluster.control],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    ).stdout


def test_all_gates_are_there():
    rules = (OF_OWNERS, OF_DIRECT_REQUESTS, *OF_ROLES)
    of_any_name = {"host", "health", "availability", "steady", "name"}
    assert first_column("Gates: who may") == of_any_name | {rule.name for rule in rules}


def test_all_strategies_are_there():
    assert first_column("Strategies: who answers this one") == set(Strategy)


@pytest.mark.parametrize(
    "heading", ["The waiting room", "Priorities", "Several models on one machine"]
)
def test_settings_on_the_page_are_taken(heading: str, tmp_path: Path):
    for text in blocks("yaml", heading):
        name = text.partition("\n")[0].removeprefix("# ")
        path = tmp_path / name
        path.write_text(text)
        found = check(path)

        assert (f"{found.kind}.yaml", found.problems, found.warnings) == (name, (), ())


def test_the_explanation_is_the_one_on_the_page(cluster: Cluster):
    shown = blocks("text", "Why")[0]

    version = re.compile(r"routes v\d+")
    assert version.sub("routes", explained(cluster, "mentor")) == version.sub("routes", shown)


def test_the_engine_gets_what_the_page_says(cluster: Cluster):
    sent, expected = (json.loads(block) for block in blocks("json", "Request policies"))
    answer = httpx.post(f"{cluster.url}/v1/chat/completions", json=sent, trust_env=False)

    assert json.loads(answer.json()["choices"][0]["message"]["content"]) == expected
    assert answer.headers["x-geniehive-service"] == "gpu-1/llama"
