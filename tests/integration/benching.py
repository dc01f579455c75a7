"""Runs of workloads as a person starts them, for tests that look at the report."""

import json
from pathlib import Path
from typing import Any

import click.testing

from bench.__main__ import bench


def run_report(folder: Path, url: str, *arguments: str) -> dict[str, Any]:
    """Run workloads through the gateway at `url`, each case once; return the report."""
    options = ["--gateway", url, "--repeats", "1", "--warmup", "0", "--no-ingest", "--json"]
    given = ["run", *arguments, *options, "-o", str(folder / "report.json")]
    ended = click.testing.CliRunner().invoke(bench, given)
    assert ended.exit_code == 0, ended.output
    found: dict[str, Any] = json.loads(ended.stdout)
    return found
