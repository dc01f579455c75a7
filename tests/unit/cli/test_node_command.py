"""`geniehive node inventory`: what would be registered, as a shell sees it."""

import json
import subprocess
import sys

import pytest
from geniehive.v1 import inventory_pb2 as inventory

from cli.weights import SHOWN, weights
from tests.unit.node.gguf_files import QWEN, TENSORS, header


def run(*arguments):
    code = "from cli.__main__ import main; main()"
    return subprocess.run(
        [sys.executable, "-P", "-c", code, "node", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin"},
    )


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "qwen.gguf").write_bytes(header(QWEN, TENSORS))
    path = tmp_path / "node.yaml"
    path.write_text(
        "control: 192.0.2.1:1\n"
        "node: {host_id: tower}\n"
        f"inventory: {{model_roots: [{tmp_path}, {tmp_path}/nowhere], ac_power_only: true}}\n"
        "services: [{service_id: llm, endpoint: 'http://127.0.0.1:9'}]\n"
    )
    return path


def test_people_see_the_machine_and_what_serves(settings):
    ended = run("inventory", "--config", str(settings))

    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert ended.stdout.startswith("tower: ")
    for part in ("on mains", "nowhere: no such file", "tower/llm", "Qwen3 8B", "Q4_K_M", "40960"):
        assert part in ended.stdout


def test_programs_get_the_document_of_control(settings):
    ended = run("inventory", "--config", str(settings), "--json")
    told = json.loads(ended.stdout)

    assert told["schema"] == "geniehive.node_inventory/1"
    assert told["host_id"] == "tower"
    assert [one["name"] for one in told["resources"]["discovered_models"]] != []
    assert [one["service_id"] for one in told["services"]] == ["tower/llm"]
    assert run("--config", str(settings), "inventory", "-q").stdout == "tower/llm\n"


@pytest.mark.parametrize(
    ("inventory", "problem"),
    [
        ("idle_only: sometimes", ":1: inventory.idle_only: "),
        ("ac_power_only: [true]", ":1: inventory.ac_power_only: "),
        ("thermal_ceiling_c: hot", ":1: inventory.thermal_ceiling_c: "),
        ("thermal_ceiling_c: .nan", ":1: inventory.thermal_ceiling_c: "),
        ("thermal_ceiling_c: yes", ":1: inventory.thermal_ceiling_c: "),
        ("max_contribution_ram_gb: -1", ":1: inventory.max_contribution_ram_gb: "),
        ("max_contribution_ram_gb: {a: 1}", ":1: inventory.max_contribution_ram_gb: "),
        ("model_roots: /models", ":1: inventory.model_roots: a list is expected"),
        ("model_roots: [{}]", ":1: inventory.model_roots[0]: "),
        ("workload_classes: background", ":1: inventory.workload_classes: a list is expected"),
        ("allowed_model_families: [1]", ":1: inventory.allowed_model_families[0]: "),
    ],
)
def test_a_policy_of_the_wrong_type_is_refused_with_its_line(inventory, problem, tmp_path):
    from control.api.settings import SettingsError, read
    from node.config import Config

    path = tmp_path / "node.yaml"
    path.write_text(f"inventory: {{{inventory}}}\n")
    with pytest.raises(SettingsError, match="inventory") as raised:
        read(path, Config)

    assert problem in str(raised.value)


def test_settings_that_cannot_be_used_are_a_usage_error(tmp_path):
    path = tmp_path / "node.yaml"
    path.write_text("inventory: {idle_only: sometimes}\n")
    ended = run("inventory", "--config", str(path))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: {path}:1: inventory.idle_only: ")


def test_many_files_are_counted_not_shown():
    file = inventory.ModelFile(path="/m/a\x1b[2J.gguf", size_bytes=4_700_000_000)
    machine = inventory.MachineInventory(model_files=[file] * 30, model_file_count=99)
    told = weights(machine, None)

    assert told.count("4.7 GB") == SHOWN
    assert told.endswith("\n79 more: --json")
    assert "\x1b" not in told
    assert weights(inventory.MachineInventory(), None) == ""
