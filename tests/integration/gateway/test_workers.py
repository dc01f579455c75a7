"""Several workers on one port: real processes that die, are stopped, and see each other."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from gateway.cells import Cells
from gateway.config import Config
from gateway.place import Place
from gateway.slots import Slots
from tests.integration.gateway.test_process import NOWHERE, start
from tests.processes import STOP_SECONDS, Service, Spawn, stop_all, wait_until

CHAT = "/v1/chat/completions"
SERVES = re.compile(r"worker (\d) serves, pid (\d+)$", re.MULTILINE)


def client(gateway: Service) -> httpx.Client:
    """Return a client that makes a new connection, and so may meet another worker."""
    return httpx.Client(base_url=f"http://127.0.0.1:{gateway.port()}", trust_env=False, timeout=30)


def pids(gateway: Service) -> dict[int, int]:
    """Return the process of each worker, by number; the last one where there were several."""
    return {int(number): int(pid) for number, pid in SERVES.findall(gateway.logged())}


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def stream(streams: ExitStack, gateway: Service) -> httpx.Response:
    """Begin a stream on a new connection; it is open as long as `streams`."""
    http = streams.enter_context(client(gateway))
    ask = {"model": "small", "stream": True, "messages": []}
    return streams.enter_context(http.stream("POST", CHAT, json=ask))


def next_service(gateway: Service) -> str:
    """Return where a request goes that ends as soon as that is known."""
    with ExitStack() as streams:
        return stream(streams, gateway).headers["x-geniehive-service"]


AT_ONCE = {"ping": 0.1}  # a stream begins with its first comment, long before its first event


@contextmanager
def engines(folder: Path, count: int, pace: float, words: int = 8) -> Iterator[list[str]]:
    """Run slow engines, alike in all; a stream takes `words` times `pace` seconds."""
    started = [
        Service(
            ["tests.fakes.engine", "--model=small", f"--pace={pace}", f"--words={words}"],
            folder / f"engine-{number}.log",
        )
        for number in range(count)
    ]
    try:
        yield [f"http://127.0.0.1:{one.port()}" for one in started]
    finally:
        stop_all(started)


def hive(
    spawn: Spawn, folder: Path, urls: list[str], workers: int = 2, **settings: object
) -> Service:
    """Start control, a node with these engines, and a gateway of some workers."""
    storage = {"sqlite_path": str(folder / "geniehive.sqlite3")}
    control = f"127.0.0.1:{spawn('control', {'listen': '127.0.0.1:0', 'storage': storage}).port()}"
    services = [{"service_id": f"s{n}", "endpoint": url} for n, url in enumerate(urls)]
    spawn("node", {"control": control, "node": {"host_id": "h"}, "services": services})
    gateway = spawn(
        "gateway", {"listen": "127.0.0.1:0", "control": control, "workers": workers, **settings}
    )
    if workers > 1:
        wait_until(lambda: len(pids(gateway)) == workers, 60, "all workers serve")
    return gateway


def routed(gateway: Service, services: int) -> bool:
    """Return whether `small` has so many services in the worker that is met."""
    with client(gateway) as http:
        found = http.get("/v1/models").json().get("data", [])
    return any(len(one["geniehive"]["services"]) == services for one in found)


def settle(gateway: Service, services: int) -> None:
    """Wait until all workers know: eight new connections in a row meet each of two."""
    wait_until(lambda: all(routed(gateway, services) for _ in range(8)), 60, "all have routes")


def test_one_port_is_served_and_left_with_0(spawn: Spawn):
    gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": NOWHERE}, "--workers", "2")
    gateway.port()
    with client(gateway) as http:
        assert http.get("/health").json() == {"status": "ok"}

    gateway.stop()
    assert "worker 1 gateway: stopping" in gateway.logged()


def test_what_one_worker_cannot_do_is_said_once(tmp_path):
    ended = start(tmp_path, "listen: 127.0.0.1:0\nworkers: 3\ntls: {ca: /nowhere/ca.pem}")

    assert ended.returncode == 2
    assert ended.stderr.count("/nowhere/ca.pem") == 1


def test_a_killed_worker_is_replaced_and_nobody_waits_for_it(tmp_path, spawn: Spawn):
    with engines(tmp_path, 1, pace=0.01) as urls:
        gateway = hive(spawn, tmp_path, urls)
        settle(gateway, 1)
        before = pids(gateway)

        os.kill(before[1], signal.SIGKILL)
        wait_until(lambda: "worker 1 was ended by SIGKILL" in gateway.logged(), 30, "notice")
        for _ in range(20):
            with client(gateway) as http:
                assert http.post(CHAT, json={"model": "small", "messages": []}).status_code == 200
        wait_until(lambda: pids(gateway)[1] != before[1], 60, "a successor")

        assert pids(gateway)[2] == before[2]
        settle(gateway, 1)


def test_workers_leave_with_their_parent(spawn: Spawn):
    gateway = spawn("gateway", {"listen": "127.0.0.1:0", "control": NOWHERE, "workers": 2})
    gateway.wait_for_log(re.compile("worker 2 .* nothing is known yet"))
    workers = [one.pid for one in psutil.Process(gateway.process.pid).children()]
    gateway.kill()

    assert len(workers) == 2
    wait_until(lambda: all(map(gone, workers)), STOP_SECONDS, "the workers are gone")


def test_a_worker_whose_parent_died_while_it_started_ends_in_order(tmp_path):
    ours, theirs = socket.socketpair()
    ours.close()
    with (
        contextlib.closing(Cells.create(1)) as cells,
        contextlib.closing(Slots.create(1)) as slots,
        theirs,
    ):
        place = Place(
            number=0,
            workers=1,
            gateway_id="g",
            insecure=False,
            patient=False,
            settings=Config(control=NOWHERE, state_dir=tmp_path).model_dump_json(),
            tether=theirs.fileno(),
            cells=cells.fd,
            slots=slots.fd,
            listeners=[],
        )
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "gateway.worker"],
            env={**os.environ, **place.environment()},
            pass_fds=[place.tether, place.cells, place.slots],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr


def test_workers_see_each_others_requests_and_forget_those_of_the_dead(tmp_path, spawn: Spawn):
    """Whichever worker is met, the next request goes where fewer are."""
    with engines(tmp_path, 2, pace=0.3, words=200) as urls, ExitStack() as streams:
        gateway = hive(spawn, tmp_path, urls, drain=0.5)
        settle(gateway, 2)
        served = [stream(streams, gateway).headers["x-geniehive-service"] for _ in range(9)]
        assert served == ["h/s0", "h/s1"] * 4 + ["h/s0"]

        before = pids(gateway)
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: not set(pids(gateway).values()) & set(before.values()), 60, "two successors"
        )
        settle(gateway, 2)

        # Were the dead still counted, the second service would always have fewer. Control may
        # count them for one exchange longer.
        wait_until(lambda: next_service(gateway) == "h/s0", 20, "the dead are forgotten")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_does_not_end_in_time_is_told_so(tmp_path, spawn: Spawn, workers: int):
    """A stream ends with an error event, the process with 0; new clients are refused at once."""
    with engines(tmp_path, 1, pace=5.0) as urls, ExitStack() as streams:
        gateway = hive(spawn, tmp_path, urls, workers=workers, drain=0.8, timeouts=AT_ONCE)
        settle(gateway, 1)
        open_streams = [stream(streams, gateway) for _ in range(6)]
        idle = streams.enter_context(client(gateway))
        idle.get("/health")
        asked = time.monotonic()
        gateway.process.terminate()
        wait_until(lambda: not answers(idle), 30, "not ready")
        texts = ["".join(one.iter_text()) for one in open_streams]

        assert all('"code":"not_ready"' in text.replace(" ", "") for text in texts)
        assert gateway.process.wait(STOP_SECONDS) == 0
        assert time.monotonic() - asked >= 0.8


def answers(http: httpx.Client) -> bool:
    try:
        return http.get("/ready").status_code == 200
    except httpx.TransportError:
        return False
