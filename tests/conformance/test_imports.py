"""Imports point inwards: towards the contract, never from one service to another."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.project import ROOT, place

OURS = {"control", "node", "gateway", "bench", "cli", "tests"}

# Folder: what of ours it may import. The longest folder that holds a file decides.
MAY_IMPORT = {
    "control/api": {"control.api"},
    "control/ranking": {
        *("control.ranking", "control.inventory", "control.api.strategies"),
        *("control.policy.effective", "control.api.priorities", "control.api.completion"),
    },
    "control/policy": {"control.policy", "control.inventory", "control.api.policy_rules"},
    "control": {"control"},
    "node": {"node", "control.api"},
    "gateway": {"gateway", "control.api"},
    # The command starts the services as processes. It reads their settings, and finds model
    # servers as the node does; it does not reach further into them.
    "cli": {
        *("cli", "bench", "control.api", "control.config", "control.rules.catalog"),
        *("gateway.config", "node.config", "node.engines"),
        *("node.finding", "node.listeners", "node.machine.gpus"),
        *("node.inventory", "node.keys"),  # what a node would register, without control
    },
    # The bench starts services as processes. Its fleet has the nodes' own session and messages,
    # and what gateways hold, it holds as they do. Its simulated gateways decide as real ones.
    "bench": {
        *("bench", "cli", "control.api"),
        *(
            "gateway.config",
            "gateway.resources",
            "gateway.rotation",
            "gateway.routes",
            "gateway.steps",
            "gateway.table",
        ),
        *("gateway.load", "gateway.rates", "gateway.reasoning", "gateway.sample"),
        *("gateway.room", "gateway.route"),
        *("gateway.upstream", "node.assets", "node.remote"),
        *("node.rolling", "node.session", "node.state"),
    },
}

# Folder: libraries that stop before it.
MUST_NOT_IMPORT = {
    "control/store": {"geniehive", "grpc"},
    "control/table": {"grpc", "peewee"},
    "control/ranking": {"geniehive", "grpc", "peewee", "pydantic"},
    "control/policy": {"geniehive", "grpc", "peewee", "pydantic"},
    "node/engines": {"geniehive", "grpc"},
}


def python_files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder} holds no Python"
    return found


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module and member that a file imports."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_inwards(folder):
    deeper = [ROOT / other for other in MAY_IMPORT if other.startswith(f"{folder}/")]
    for path in python_files(folder):
        if any(path.is_relative_to(other) for other in deeper):
            continue
        for name in imports(path):
            if name.split(".")[0] in OURS:
                allowed = any(f"{name}.".startswith(f"{one}.") for one in MAY_IMPORT[folder])
                assert allowed, f"{place(path)} imports {name}"


@pytest.mark.parametrize("folder", MUST_NOT_IMPORT)
def test_libraries_stop_where_they_should(folder):
    for path in python_files(folder):
        for name in imports(path):
            assert name.split(".")[0] not in MUST_NOT_IMPORT[folder], f"{place(path)}: {name}"


def test_ranking_needs_nothing_but_the_standard_library():
    for path in python_files("control/ranking"):
        for name in imports(path):
            assert name.split(".")[0] in sys.stdlib_module_names | OURS, f"{place(path)}: {name}"
