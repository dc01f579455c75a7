"""BerriAI/litellm#38121: what failed to reach its database at the start never tried again."""

import httpx

from tests.processes import wait_until

RECOVERED_S = 50.0  # ten times the goal


def test_a_gateway_that_starts_before_control_finds_it_later(spawn, tmp_path, known_port):
    address = f"127.0.0.1:{known_port}"
    gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": address})
    url = f"http://127.0.0.1:{gateway.port()}/ready"
    assert httpx.get(url, trust_env=False).status_code == 503
    store = {"sqlite_path": str(tmp_path / "geniehive.sqlite3")}
    control = spawn("control", {"listen": address, "storage": store})
    assert control.port() == known_port

    wait_until(lambda: httpx.get(url, trust_env=False).is_success, RECOVERED_S, "ready")
