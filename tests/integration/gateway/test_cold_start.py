"""A gateway that starts while control is down serves what an earlier one knew."""

import re
import time
from pathlib import Path

import httpx
from geniehive.v1 import routing_service_pb2 as pb

from gateway import last_good
from gateway.last_good import LastGood
from tests.integration.gateway.test_process import NOWHERE
from tests.processes import Service, Spawn, wait_until

REFUSED = re.compile(r"gateway\.last-good refused: it is damaged, or .* another gateway key")


def ready(gateway: Service) -> dict[str, object]:
    """Return what `/ready` says, or nothing while it is not."""
    answer = httpx.get(f"http://127.0.0.1:{gateway.port()}/ready", trust_env=False)
    return answer.json() if answer.status_code == httpx.codes.OK else {}


def chat(gateway: Service, key: str) -> int:
    url = f"http://127.0.0.1:{gateway.port()}/v1/chat/completions"
    headers = {"Authorization": f"Bearer {key}"}
    ask = {"model": "small", "messages": []}
    return httpx.post(url, json=ask, headers=headers, trust_env=False, timeout=30).status_code


def test_a_cold_start_without_control(
    tmp_path: Path, spawn: Spawn, fake_engine: str, known_port: int
):
    control = {
        "listen": f"127.0.0.1:{known_port}",
        "storage": {"sqlite_path": str(tmp_path / "geniehive.sqlite3")},
        "registry": {"grace_s": 0},  # only what is settled is kept
        "auth": {"client_api_keys": ["sk-client"], "gateway_api_keys": ["gk-gateway"]},
    }
    folder = tmp_path / "state"
    file = folder / last_good.NAME
    settings = {
        "listen": "127.0.0.1:0",
        "control": control["listen"],
        "state_dir": str(folder),
    }

    def gateway(key: str = "gk-gateway") -> Service:
        return spawn("gateway", settings, GENIEHIVE_GATEWAY_KEY=key)

    # 1. One that knows control leaves a file behind.
    first = spawn("control", control)
    first.port()
    services = [{"service_id": "s", "endpoint": fake_engine}]
    spawn("node", {"control": control["listen"], "node": {"host_id": "h"}, "services": services})
    earlier = gateway()
    wait_until(lambda: chat(earlier, "sk-client") == 200, 60, "a first answer")
    wait_until(file.exists, 60, "the file")
    earlier.stop()
    first.kill()
    for secret in (b"sk-client", b"gk-gateway"):
        assert secret not in file.read_bytes()

    # 2. The next one has nothing else, and asks for the same keys.
    second, stranger = gateway(), gateway("gk-other")
    wait_until(lambda: bool(ready(second)), 60, "ready from the file")
    told = ready(second)
    assert (told["source"], told["control"]) == ("file", "unreachable")
    assert float(str(told["stale_seconds"])) > 0
    assert chat(second, "sk-client") == 200
    assert chat(second, "sk-wrong") == 401

    # 3. One whose key is another believes no word of it.
    stranger.wait_for_log(REFUSED)
    assert ready(stranger) == {}

    # 4. Control comes back, and takes over.
    spawn("control", control).port()
    wait_until(lambda: ready(second).get("control") == "connected", 60, "control is back")
    assert "source" not in ready(second)
    # Without a grace period it knows no service until the node is back.
    wait_until(lambda: chat(second, "sk-client") == 200, 60, "an answer by control's table")


def test_a_second_gateway_on_the_port_takes_no_clients_before_it_can_serve_them(
    tmp_path: Path, spawn: Spawn
):
    identity = pb.TableIdentity(store_id="s", incarnation="i", version=1)
    open_to_all = pb.Resource(name="settings", settings=pb.KeySettings())
    known = LastGood(
        at=time.time(),
        control=NOWHERE,
        routes=last_good.snapshot(identity, []),
        keys=last_good.snapshot(identity, [open_to_all.SerializeToString()]),
    )
    last_good.write(tmp_path, last_good.encode(known, None))
    settings = {"control": NOWHERE, "reuse_port": True, "state_dir": str(tmp_path)}
    first = spawn("gateway", {"listen": "127.0.0.1:0", **settings})
    second = spawn("gateway", {"listen": f"127.0.0.1:{first.port()}", **settings})

    def taken_over() -> bool:
        assert ready(first)
        return "listening on" in second.logged()

    wait_until(taken_over, 60, "the second one serves, too")
