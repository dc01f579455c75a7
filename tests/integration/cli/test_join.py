"""Two machines, one line: `up --lan` on one, what it prints on the other."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest

from tests.chaos.lan import lan
from tests.chaos.promise import NotMeasurable
from tests.integration.conftest import missing
from tests.processes import START_SECONDS, stop_all, wait_until

COMMAND = [sys.executable, "-P", "-m", "cli"]
STOP_SECONDS = 25.0
INVITATION = re.compile(r"^add a machine:  GENIEHIVE_NODE_KEY=(\S+) geniehive join (\S+)$", re.M)
# Loopback addresses stand for the network: nothing of a test listens beyond this machine.
SETTINGS = "listen: 127.0.0.2:0\nserver: {host: 127.0.0.2, port: 0}\n"


class Command:
    """A running command; its two streams go to one file each."""

    def __init__(self, folder, *arguments, program=(), **environment):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.out, self.err = folder / "out", folder / "err"
        clean = {key: value for key, value in os.environ.items() if "GENIEHIVE" not in key}
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*program, *COMMAND, *map(str, arguments), "--state-dir", str(folder / "state")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**clean, **environment},
            )

    def says(self, pattern):
        found = re.compile(pattern, re.MULTILINE)
        wait_until(
            lambda: found.search(self.err.read_text()) or self.process.poll() is not None,
            START_SECONDS,
            pattern,
        )
        match = found.search(self.err.read_text())
        assert match, self.err.read_text()
        return match

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(STOP_SECONDS) == 0, self.err.read_text()


@contextmanager
def running(*arguments, **environment):
    one = Command(*arguments, **environment)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.stop()


def ended(folder, *arguments, **environment):
    one = Command(folder, *arguments, **environment)
    return one.process.wait(START_SECONDS), one.out.read_text(), one.err.read_text()


@pytest.fixture(scope="module")
def hive(tmp_path_factory, fake_engine):
    """An `up --lan` with one engine."""
    folder = tmp_path_factory.mktemp("lan")
    (config := folder / "control.yaml").write_text(SETTINGS)
    given = ["--lan", "--config", config, "--engine", fake_engine]
    with running(folder / "hive", "up", *given) as up:
        up.says(r"^keys are in ")
        yield up


def test_another_machine_joins_with_what_is_printed(hive, tmp_path):
    key, address = INVITATION.search(hive.err.read_text()).groups()
    with running(
        tmp_path / "tower", "join", address, "--host-id", "tower", GENIEHIVE_NODE_KEY=key
    ) as tower:
        tower.says(rf"^  control    reached  {re.escape(address)}  ")
        tower.says(r"^  joined as  tower ")
        hive.says(r"^\+ tower joined: \d+ model")
        settings = tmp_path / "tower" / "state" / "join" / "node.yaml"
        assert settings.stat().st_mode & 0o777 == 0o600
        assert key not in settings.read_text()

        taken = ended(tmp_path / "b", "join", address, "--host-id", "tower", GENIEHIVE_NODE_KEY=key)
        assert taken[0] == 1
        assert "error: control" in taken[2]
        assert "fix: --host-id NAME" in taken[2]
    hive.says(r"^- tower left$")


def test_a_key_that_is_not_known_is_refused_and_not_shown(hive, tmp_path):
    _, address = INVITATION.search(hive.err.read_text()).groups()
    code, out, err = ended(tmp_path / "tower", "join", address, GENIEHIVE_NODE_KEY="canary")

    assert (code, out) == (4, "")
    assert "the node key is not known there" in err
    assert "canary" not in err


def test_the_call_that_is_shown_works_and_commands_here_need_no_key(hive):
    screen = hive.err.read_text()
    client = re.search(r"^client key: (gh_\S+)$", screen, re.MULTILINE)[1]
    assert f"Bearer {client}" in screen  # the call that is printed can be pasted
    address = re.search(r"http://\S+", hive.out.read_text())[0]
    assert httpx.get(f"{address}/v1/models", trust_env=False).status_code == 401
    asked = {"headers": {"Authorization": f"Bearer {client}"}, "trust_env": False}
    assert httpx.get(f"{address}/v1/models", **asked).status_code == 200
    shown = subprocess.run(
        [*COMMAND, "status", "--json", "--state-dir", str(hive.folder / "state")],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=True,
    )
    assert json.loads(shown.stdout)["hosts"]


def test_nobody_there_says_what_to_do_there(tmp_path):
    code, out, err = ended(tmp_path / "tower", "join", "127.0.0.1:1")

    assert (code, out) == (3, "")
    assert "error: control 127.0.0.1:1 refused\n" in err
    assert "geniehive up --lan" in err


def test_an_engine_on_loopback_of_another_machine_answers_a_chat(tmp_path):
    """Two network namespaces as two machines, with nothing told to either but one line."""
    try:
        with lan(2) as net:
            first, second = net.machines
            inside = [["ip", "netns", "exec", one.name] for one in (first, second)]
            engine = second.start(
                ["tests.fakes.engine", "--model", "far", "--port", "8000"], tmp_path / "engine.log"
            )
            near = first.start(
                ["tests.fakes.engine", "--model", "near", "--port", "8000"], tmp_path / "near.log"
            )
            try:
                _joined_over(net, inside, tmp_path)
            finally:
                stop_all([engine, near])
    except NotMeasurable as error:
        missing(str(error))


def test_a_machine_without_a_model_server_invites_others_and_fetches_nothing(tmp_path):
    try:
        with lan(1) as net:
            inside = ["ip", "netns", "exec", net.machines[0].name]
            with running(tmp_path / "hive", "up", "--lan", program=inside) as up:
                up.says(r"^  engines    none on .*: other machines may join$")
                up.says(r"^models: none yet; ")
                up.says(r"^client key: ")
                up.says(r"^add a machine:  ")
                assert "demo" not in up.err.read_text()
    except NotMeasurable as error:
        missing(str(error))


def _joined_over(net, inside, folder):
    with running(folder / "hive", "up", "--lan", program=inside[0]) as up:
        up.says(r"^keys are in ")
        key, address = INVITATION.search(up.err.read_text()).groups()
        assert address == f"{net.machines[0].address}:8801"
        joining = ("join", address, "--host-id", "tower")
        with running(
            folder / "tower", *joining, program=inside[1], GENIEHIVE_NODE_KEY=key
        ) as tower:
            tower.says(r"127\.0\.0\.1:8000 \(loopback only: relayed by this node\), 1 model")
            up.says(r"^\+ tower joined: 1 model$")
            call = re.search(r"^try:(.*?)^next:", up.err.read_text(), re.M | re.S)[1]
            said = subprocess.run(
                [*inside[0], "sh", "-c", call.replace('"near"', '"far"')],
                capture_output=True,
                text=True,
                timeout=START_SECONDS,
                check=True,
            )
            assert json.loads(said.stdout)["model"] == "far"
