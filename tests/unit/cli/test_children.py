"""Children as processes: started, restarted, stopped, and never left behind."""

import asyncio
import os
import re
import subprocess
import sys

import psutil
import pytest

from cli import children
from cli.children import LISTENING, Child, Command
from cli.output import Failure

SERVER = """
import os, signal, sys, time
print("listening on 127.0.0.1:7", file=sys.stderr, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    time.sleep(60)
"""
STUBBORN = SERVER.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")


@pytest.fixture
async def make(tmp_path, monkeypatch, anyio_backend):
    """`make(source)`: a child that runs `source` as a module."""
    monkeypatch.setattr(children, "RESTART_SECONDS", 0.01)
    made = []
    said = []

    def child(source):
        (tmp_path / "subject.py").write_text(source)
        command = Command(
            "subject", "subject", (), tmp_path / "subject.log", {"PYTHONPATH": str(tmp_path)}
        )
        made.append(Child(command, said.append))
        made[-1].told = said
        return made[-1]

    yield child
    for one in made:
        one.kill()


@pytest.mark.anyio
async def test_what_it_says_is_waited_for_and_it_stops_when_asked(make):
    child = make(SERVER)
    await child.start()

    assert (await child.said(LISTENING))[1] == "127.0.0.1:7"
    keeping = asyncio.ensure_future(child.keep(LISTENING))
    await child.stop()
    await keeping
    assert child.told == []


@pytest.mark.anyio
async def test_what_ends_by_itself_is_started_again(make):
    child = make(SERVER)
    await child.start()
    keeping = asyncio.ensure_future(child.keep(LISTENING))
    await child.said(LISTENING)
    first = child._process.pid
    os.kill(first, 9)
    async with asyncio.timeout(30):
        while child._process.pid == first:  # noqa: ASYNC110  # the life of a process
            await asyncio.sleep(0.01)
    await child.said(LISTENING)
    async with asyncio.timeout(30):
        while len(child.told) < 2:  # noqa: ASYNC110  # it sends no events
            await asyncio.sleep(0.01)

    assert child._process.pid != first
    assert re.match(r"subject ended \(SIGKILL\), starting it again in 0.0 s: ", child.told[0])
    assert child.told[1:] == ["subject is back"]
    await child.stop()
    await keeping


@pytest.mark.anyio
async def test_what_cannot_start_fails_in_its_own_words(make):
    child = make("import sys; print('error: no', file=sys.stderr); sys.exit(2)")
    await child.start()

    with pytest.raises(Failure, match=r"^no$"):
        await child.said(LISTENING)


@pytest.mark.anyio
async def test_what_ends_without_a_word_names_its_log(make):
    child = make("raise SystemExit(5)")
    await child.start()

    with pytest.raises(Failure, match="exit code 5") as failed:
        await child.said(LISTENING)
    assert str(child.command.log) in failed.value.fix


@pytest.mark.anyio
async def test_what_a_signal_ends_names_it_and_its_last_words(make):
    child = make(
        "import os, signal, sys\n"
        "print('loading', 'the model', sep='\\n', file=sys.stderr, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGILL)"
    )
    await child.start()

    with pytest.raises(Failure, match=r"^subject ended \(SIGILL\) before it was ready$") as failed:
        await child.said(LISTENING)
    assert failed.value.why == "the model"


@pytest.mark.anyio
async def test_what_does_not_stop_is_killed(make, monkeypatch):
    monkeypatch.setattr(children, "STOP_SECONDS", 0.1)
    child = make(STUBBORN)
    await child.start()
    await child.said(LISTENING)
    await child.stop()

    assert child._process.returncode == -9
    assert child.told == ["subject did not stop within 0 s: killed"]


@pytest.mark.anyio
async def test_log_of_the_last_time_is_kept_once(make, tmp_path):
    child = make(SERVER)
    for _ in range(3):
        await child.start()
        await child.said(LISTENING)
        child.kill()
        await child._process.wait()

    assert sorted(path.name for path in tmp_path.glob("*.log*")) == ["subject.log", "subject.log.1"]


PARENT = """
import asyncio, sys
from pathlib import Path
from cli.children import LISTENING, Child, Command
async def main():
    folder = Path(sys.argv[1])
    child = Child(Command("subject", "subject", (), folder / "subject.log"), print)
    await child.start()
    await child.said(LISTENING)
    print(child._process.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def test_a_parent_that_is_killed_takes_its_children_along(tmp_path):
    (tmp_path / "subject.py").write_text(SERVER)
    parent = subprocess.Popen(
        [sys.executable, "-P", "-c", PARENT, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    with parent:
        pid = int(parent.stdout.readline())
        child = psutil.Process(pid)
        parent.kill()
    psutil.wait_procs([child], timeout=30)

    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-20 10:00:00 INFO control: listening on 127.0.0.1:8801",
        '{"logger": "control", "message": "listening on 127.0.0.1:8801"}',
    ],
    ids=["text", "json"],
)
def test_where_a_service_listens_is_read_from_either_log(line):
    assert LISTENING.search(line)[1] == "127.0.0.1:8801"
