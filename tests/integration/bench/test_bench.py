"""The engine and the load generator of the bench, against each other, as processes."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bench.cases import EVENTS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bench is for Linux only")

BENCH = [sys.executable, "-P", "-m", "bench"]


@dataclass(frozen=True, slots=True)
class Upstream:
    pid: int
    url: str


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    command = [*BENCH, "upstream", "--gap-ms", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().rpartition(" ")[2].strip()
        try:
            yield Upstream(process.pid, f"http://{address}")
        finally:
            process.terminate()
            assert process.wait(15) == 0


def load(upstream: Upstream, *options: str) -> dict[str, Any]:
    command = [*BENCH, "load", upstream.url, "--json", "--pid", str(upstream.pid), *options]
    done = subprocess.run(
        [*command, "--seconds", "0.8", "--warmup", "0.1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "options",
    [
        ["--connections", "8"],
        ["--connections", "8", "--rate", "200"],
        ["--connections", "8", "--stream", "--events", str(EVENTS)],
        ["--connections", "8", "--stream", "--events", str(EVENTS), "--rate", "20"],
    ],
    ids=["closed-json", "open-json", "closed-sse", "open-sse"],
)
def test_figures_add_up(upstream, options):
    found = load(upstream, *options)

    assert found["errors"] == {}
    assert found["reconnected"] == 0
    assert found["answered"] > 0
    assert found["requests_per_second"] == pytest.approx(
        found["answered"] / found["seconds"], rel=0.01
    )
    latency = found["latency"]
    assert latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]
    assert found["cpu_share"] > 0
    assert found["rss_mib"] > 1
    if "--stream" in options:
        assert found["delivered"] == found["asked"] == EVENTS * found["answered"]
        assert found["first_byte"]["p50"] < latency["p50"]
        assert found["gap"] is not None
    else:
        assert found["events"] == found["asked"] == 0


def refused(*options: str) -> tuple[int, str, str]:
    """Return the exit code of a load that cannot be measured, and what it said."""
    command = [*BENCH, "load", *options, "--seconds", "0.1", "--warmup", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def test_an_address_where_nobody_listens_is_said_so():
    code, _, said = refused("http://127.0.0.1:1")

    assert code == 3
    assert said == "error: http://127.0.0.1:1 cannot be reached: connection refused\n"


def test_a_process_that_is_not_there_is_said_so(upstream):
    code, _, said = refused(upstream.url, "--pid", "999999999")

    assert (code, said) == (2, "error: no process has the id 999999999\n")


def test_a_load_that_only_met_errors_is_no_success():
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, shown, _ = refused(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()

    assert code == 1
    assert "error: status 501" in shown
