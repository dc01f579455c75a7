"""`geniehive up` as a person uses it: the address, the call to paste, Ctrl-C."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing

import httpx
import psutil
import pytest

from cli import engines
from node.engines import http
from tests.integration.conftest import DEMO, DEMO_MODEL, missing
from tests.processes import START_SECONDS, Service, wait_until

STOP_SECONDS = 25.0  # two rounds of the 10 s that a child may take
READY = re.compile(r"^geniehive ready: (http://127\.0\.0\.1:\d+)\n", re.MULTILINE)
COMMAND = [sys.executable, "-P", "-m", "cli"]


class Up:
    """A running `geniehive up`; its two streams go to files."""

    def __init__(self, state, *arguments, **environment):
        self.state = state
        self.out, self.err = state.with_suffix(".out"), state.with_suffix(".err")
        ports = ["--port", "0", "--control-port", "0"]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*COMMAND, "up", "--state-dir", str(state), *ports, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **environment},
            )

    def ready(self, seconds=START_SECONDS):
        """Return the address, once it is printed."""
        wait_until(lambda: READY.search(self.out.read_text()) or self.ended(), seconds, "ready")
        found = READY.search(self.out.read_text())
        assert found, self.err.read_text()
        # What follows goes to the other stream.
        wait_until(lambda: "next: " in self.err.read_text(), START_SECONDS, "the next steps")
        return found[1]

    def ended(self):
        return self.process.poll() is not None

    def children(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill(self):
        if not self.ended():
            children = self.children()
            self.process.kill()
            self.process.wait()
            psutil.wait_procs(children, STOP_SECONDS)


@pytest.fixture
def up(tmp_path):
    started = []

    def start(*arguments, state="state", **environment):
        started.append(Up(tmp_path / state, *arguments, **environment))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture(scope="module")
def one(tmp_path_factory, fake_engine):
    """One that runs, for tests that only look at it."""
    running = Up(tmp_path_factory.mktemp("up") / "state", "--engine", fake_engine)
    try:
        running.ready()
        yield running
    finally:
        running.kill()


def geniehive(*arguments, **environment):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        env={**os.environ, **environment},
    )


def pasted(screen):
    """Return what a person copies after `try:`."""
    return re.search(r"^try:(.*?)^next:", screen, re.MULTILINE | re.DOTALL)[1]


def run_in_shell(call):
    if shutil.which("curl") is None:
        missing("curl is not installed")
    ended = subprocess.run(["sh", "-c", call], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_one_line_on_stdout_then_a_call_that_works_when_pasted(one):
    assert one.out.read_text() == f"geniehive ready: {one.ready()}\n"
    screen = one.err.read_text()
    steps = [line.split()[:2] for line in screen.splitlines() if line.startswith("  ")]
    assert ["control", "ready"] in steps
    assert ["node", "ready"] in steps
    assert ["gateway", "ready"] in steps
    assert "models: small\n" in screen
    answer = run_in_shell(pasted(screen))
    assert answer["choices"][0]["message"]["content"]


def test_status_finds_it_by_its_state_folder(one):
    ended = geniehive("status", "--state-dir", one.state, "--check")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("1 of 1 host up | 1 model, 1 loaded | ")
    assert "\x1b" not in ended.stdout

    ended = geniehive("status", "--state-dir", one.state, "--json")
    made = json.loads(ended.stdout)
    assert (made["schema"], made["healthy"]) == ("geniehive.status/1", True)


def test_second_one_on_the_same_folder_is_refused(one):
    ended = geniehive("up", "--state-dir", one.state)

    assert ended.returncode == 2
    expected = (
        rf"error: already running since \d\d:\d\d \(pid {one.process.pid}\): geniehive status\n"
    )
    assert re.fullmatch(expected, ended.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_stop_leaves_nothing_behind(up, fake_engine, number):
    running = up("--engine", fake_engine)
    running.ready()
    children = running.children()
    assert len(children) == 3
    running.process.send_signal(number)

    assert running.process.wait(STOP_SECONDS) == 0
    assert not any(child.is_running() for child in children)
    assert "stopping (again to cut)\n" in running.err.read_text()
    assert not (running.state / "up.json").exists()


def test_stop_while_it_starts_leaves_nothing_behind(up, fake_engine):
    running = up("--engine", fake_engine)
    wait_until(lambda: running.ended() or running.children(), START_SECONDS, "a child")
    running.process.send_signal(signal.SIGINT)

    assert running.process.wait(STOP_SECONDS) == 0
    assert not (running.state / "up.json").exists()


def test_second_ctrl_c_does_not_wait_for_requests_in_flight(up, tmp_path):
    engine = Service(
        ["tests.fakes.engine", "--model", "small", "--pace", "60"], tmp_path / "engine.log"
    )
    try:
        running = up("--engine", f"http://127.0.0.1:{engine.port()}")
        address = running.ready()
        children = running.children()
        body = {"model": "small", "messages": [{"role": "user", "content": "x"}], "stream": True}
        with (
            httpx.Client(trust_env=False, timeout=START_SECONDS) as client,
            client.stream("POST", f"{address}/v1/chat/completions", json=body),
        ):
            wait_until(lambda: in_flight(running) == 1, START_SECONDS, "the request is counted")
            running.process.send_signal(signal.SIGINT)
            said = "stopping, 1 request in flight (again to cut)\n"
            wait_until(lambda: said in running.err.read_text(), START_SECONDS, "it says so")
            assert not running.ended()
            running.process.send_signal(signal.SIGINT)

            assert running.process.wait(STOP_SECONDS) == 0
        assert not any(child.is_running() for child in children)
    finally:
        engine.kill()


def in_flight(running):
    return json.loads(geniehive("status", "--state-dir", running.state, "--json").stdout)[
        "in_flight"
    ]


def test_kill_leaves_nothing_behind(up, fake_engine):
    running = up("--engine", fake_engine)
    running.ready()
    children = running.children()
    running.process.kill()
    running.process.wait()

    _, alive = psutil.wait_procs(children, STOP_SECONDS)
    assert alive == []
    again = up("--engine", fake_engine)
    assert again.ready()


def test_a_child_that_dies_comes_back_where_it_was(up, fake_engine):
    running = up("--engine", fake_engine)
    address = running.ready()
    (gateway,) = [child for child in running.children() if "gateway" in child.cmdline()]
    gateway.kill()
    gateway.wait(START_SECONDS)

    def listed():
        with closing(httpx.Client(trust_env=False)) as client:
            try:
                return "small" in client.get(f"{address}/v1/models").text
            except httpx.HTTPError:
                return False

    wait_until(listed, START_SECONDS, "the gateway is back")
    assert "gateway ended (SIGKILL), starting it again in 0.5 s: " in running.err.read_text()


def test_settings_of_control_decide_about_keys_and_address(up, fake_engine, tmp_path):
    config = tmp_path / "control.yaml"
    config.write_text(
        "auth:\n"
        "  client_api_keys: [client-secret]\n"
        "  node_api_keys: [node-secret]\n"
        "  gateway_api_keys: [gateway-secret]\n"
        "  operator_api_keys: [operator-secret]\n"
    )
    running = up("--engine", fake_engine, "--config", str(config))
    address = running.ready()
    screen = running.err.read_text()

    assert "secret" not in screen
    answer = run_in_shell(pasted(screen).replace("YOUR_KEY", "client-secret"))
    assert answer["choices"]
    assert httpx.get(f"{address}/v1/models", trust_env=False).status_code == 401
    ended = geniehive("status", "--state-dir", running.state)
    assert ended.returncode == 4
    ended = geniehive(
        "status", "--state-dir", running.state, GENIEHIVE_OPERATOR_KEY="operator-secret"
    )
    assert ended.returncode == 0


def test_a_child_that_cannot_start_ends_it_with_its_one_line(up, fake_engine, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state/geniehive.sqlite3").write_text("this is no database, " * 100)
    running = up("--engine", fake_engine)

    assert running.process.wait(START_SECONDS) == 2
    (error,) = [line for line in running.err.read_text().splitlines() if "error: " in line]
    assert error.startswith("error: ")
    assert running.out.read_text() == ""


def test_an_engine_that_starts_later_is_waited_for(up, fake_engine):
    running = up("--engine", "http://127.0.0.1:1")
    wait_until(
        lambda: "none answers yet" in running.err.read_text() or running.ended(),
        START_SECONDS,
        "patience is over",
    )
    assert not running.ended()
    assert running.out.read_text() == ""


def test_removing_a_host_says_how_to_undo_it(up, fake_engine):
    running = up("--engine", fake_engine)
    running.ready()
    ended = geniehive("status", "--state-dir", running.state, "--json")
    host_id = json.loads(ended.stdout)["hosts"][0]["host_id"]

    place = ["--state-dir", running.state]
    ended = geniehive("admin", "hosts", "remove", host_id, "--yes", *place)
    assert (ended.returncode, ended.stdout) == (
        0,
        f"{host_id} removed; undo: start its node again (one that runs comes back by itself)\n",
    )
    ended = geniehive("admin", "hosts", "remove", "nobody", "--yes", *place)
    assert ended.returncode == 5


async def engines_here():
    async with http.new_client() as client:
        return await engines.here(client)


def test_demo_model_is_served_when_there_is_no_engine(up, tmp_path):
    """The first start of a person with nothing installed, from models fetched before."""
    if not DEMO_MODEL.exists():
        missing("the demo model is not there; make test fetches it")
    from cli import demo

    if found := asyncio.run(engines_here()):  # of a test beside this one, for instance
        pytest.skip(f"up would not need the demo model here: {found[0]}")
    folder = demo.folder(tmp_path / "state")
    folder.parent.mkdir(parents=True)
    folder.symlink_to(DEMO)
    running = up()
    running.ready(60)
    screen = running.err.read_text()

    assert "starting the demo model\n" in screen
    assert screen.index("loading  smollm2-135m") < screen.index("ready    smollm2-135m")
    assert run_in_shell(pasted(screen))["choices"][0]["message"]["content"]
