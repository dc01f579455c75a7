"""What docs/operations.md says of metrics is what there is."""

import re
import shutil
import subprocess

import pytest
import yaml

from control import metrics as control
from gateway import metrics as gateway
from tests.transcript.metrics import PAGE, table, written

TEXT = PAGE.read_text()
RULES = next(
    block for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "rules.yml" in block
)


def test_the_table_is_made_of_the_metrics():
    assert written(TEXT) == TEXT
    assert table() in TEXT


def test_rules_ask_for_metrics_that_there_are():
    known = {family.shown for family in (*gateway.ALL, *control.ALL)}
    rules = yaml.safe_load(RULES)["groups"][0]["rules"]
    asked = {name for one in rules for name in re.findall(r"geniehive_\w+", one["expr"])}

    assert asked <= known
    assert len(asked) >= len(rules)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_the_rules(tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(RULES)

    subprocess.run(["promtool", "check", "rules", str(path)], check=True)
