"""A small cluster with a catalog of roles, and the command as a person runs it against it."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from cli.__main__ import main
from tests.integration.cluster import Cluster, running_cluster
from tests.processes import Service, stop_all

COMMAND = [sys.executable, "-P", "-m", "cli"]
SECONDS = 60.0
CATALOG = """\
roles:
- role_id: mentor
  operation: chat
  routing_policy: {fallback_roles: [helper]}
- {role_id: helper, operation: chat}
- {role_id: embed, operation: embeddings}
"""


class Ended(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@contextmanager
def small_hive(folder: Path) -> Iterator[Cluster]:
    """Run a cluster whose host `h1` serves the model `small`, by a fake engine."""
    engine = Service(["tests.fakes.engine", "--model", "small"], folder / "engine.log")
    try:
        (catalog := folder / "roles.yaml").write_text(CATALOG)
        service = {"service_id": "demo", "endpoint": f"http://127.0.0.1:{engine.port()}"}
        control = {"roles_path": str(catalog)}
        with running_cluster(folder, [service], control=control) as running:
            running.wait_for_model("small")
            yield running
    finally:
        stop_all([engine])


def environment(cluster: Cluster, **more: str) -> dict[str, str]:
    """Return what lets the command find the cluster."""
    found = {"GENIEHIVE_CONTROL": cluster.control_address, "GENIEHIVE_GATEWAY": cluster.url}
    return {**os.environ, **found, **more}


def geniehive(cluster: Cluster, *arguments: str, **more: str) -> Ended:
    """Run the command to its end, in this process: most of its time is its imports."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name, value in environment(cluster, **more).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["geniehive", *arguments])
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ended(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))
