"""gpustack/gpustack#3068: after the server restarted, an agent never came back by itself."""

from tests.chaos.calls import calling
from tests.processes import wait_until

BACK_S = 50.0  # ten times the goal
BEATS = {"heartbeat_interval_s": 0.5, "lease_intervals": 20}


def test_a_node_finds_a_control_that_lost_everything(spawn, tmp_path):
    def control(port: int, store: str):
        path = tmp_path / f"{store}.sqlite3"
        listen = f"127.0.0.1:{port}"
        storage = {"sqlite_path": str(path)}
        return spawn("control", {"listen": listen, "storage": storage, "registry": BEATS})

    first = control(0, "first")
    port = first.port()
    spawn("node", {"control": f"127.0.0.1:{port}", "node": {"host_id": "h1"}})
    with calling(port) as calls:
        wait_until(lambda: calls.health().online_host_count == 1, BACK_S, "the node is there")
    first.kill()
    control(port, "second").port()

    with calling(port) as calls:
        wait_until(lambda: calls.health().online_host_count == 1, BACK_S, "the node is back")
