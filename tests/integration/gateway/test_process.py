"""The gateway as a process: how it starts, refuses to start, and stops."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

from tests.integration.cluster import running_cluster
from tests.processes import Service, Spawn, stop_all

NOWHERE = "127.0.0.1:9"


def start(folder: Path, text: str | bytes | None) -> subprocess.CompletedProcess[str]:
    """Run a gateway that is expected not to start."""
    path = folder / "gateway.yaml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    command = [sys.executable, "-P", "-m", "gateway", "--config", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (None, ["no such file or directory"]),
        ("listen: 1", ["gateway.yaml:1: listen: "]),
        ("listen: nowhere", ["'nowhere' is not host:port"]),
        ("timeouts: {connect: -1, idle: x}", ["timeouts.connect", "timeouts.idle"]),
        ("a: 1\na: 2", [":2: duplicate key a"]),
        ("a: &x 1\nb: *x", ["aliases are not supported"]),
        ("deployment_profile: foundation\nlisten_on: x", [":2: unknown key listen_on; nearest: l"]),
        (b"\xff\xfe\x00", ["gateway.yaml"]),
        ("tls: {ca: /nowhere/ca.pem}", ["/nowhere/ca.pem"]),
    ],
    ids=repr,
)
def test_unusable_settings_are_one_line_a_problem(tmp_path, text, lines):
    ended = start(tmp_path, text)

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == len(lines)
    for line, expected in zip(ended.stderr.splitlines(), lines, strict=True):
        assert line.startswith("error: ")
        assert expected in line


def test_an_unknown_key_is_a_warning_in_the_casual_profile(tmp_path, spawn: Spawn):
    gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": NOWHERE, "timeout": {}})

    assert gateway.port()
    assert "unknown key timeout; nearest: timeouts" in gateway.logged()


def test_a_port_in_use_names_who_uses_it(tmp_path, spawn: Spawn):
    first = spawn("gateway", {"listen": "127.0.0.1:0", "control": NOWHERE})
    address = f"127.0.0.1:{first.port()}"

    ended = start(tmp_path, yaml.safe_dump({"listen": address}))

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert f"error: {address} is used by pid {first.process.pid} (" in ended.stderr


def test_without_control_it_lives_and_says_that_it_is_not_ready(spawn: Spawn):
    gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": NOWHERE})
    url = f"http://127.0.0.1:{gateway.port()}"

    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/health").json() == {"status": "ok"}
        for answer in (
            client.get("/ready"),
            client.get("/v1/models"),
            client.post("/v1/chat/completions", json={"model": "m"}),
        ):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] in ("not_ready", "auth_unavailable")
            assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("delay", [0.1, 0.25, 0.4, 0.55, 0.7])
def test_a_signal_at_any_moment_of_the_start_ends_it(spawn: Spawn, delay: float):
    gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": NOWHERE})
    time.sleep(delay)  # the moment is the point
    gateway.process.terminate()

    assert gateway.process.wait(15) in (0, -signal.SIGTERM)


def test_a_stream_under_way_is_finished_before_it_stops(tmp_path, door: str):
    engine = Service(
        ["tests.fakes.engine", "--model", "small", "--pace", "0.1"], tmp_path / "engine.log"
    )
    services: list[dict[str, object]] = [
        {"service_id": "slow", "endpoint": f"http://127.0.0.1:{engine.port()}"}
    ]
    ask = {"model": "small", "stream": True, "messages": []}
    try:
        with (
            running_cluster(tmp_path, services, door=door) as cluster,
            httpx.Client(base_url=cluster.url, trust_env=False, timeout=30) as client,
        ):
            cluster.wait_for_model("small")
            with client.stream("POST", "/v1/chat/completions", json=ask) as response:
                lines = response.iter_lines()
                first = next(lines)
                cluster.gateway.process.terminate()
                rest = list(lines)

            assert first.startswith("data: ")
            assert "data: [DONE]" in rest
            assert cluster.gateway.process.wait(20) == 0
    finally:
        stop_all([engine])


def test_a_key_that_no_header_can_carry_is_refused_unseen(tmp_path, monkeypatch):
    monkeypatch.setenv("GENIEHIVE_GATEWAY_KEY", "secret\n")

    ended = start(tmp_path, "listen: 127.0.0.1:0")

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: GENIEHIVE_GATEWAY_KEY ")
    assert "secret" not in ended.stderr
