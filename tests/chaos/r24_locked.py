"""R24: nobody is ever told that the database is locked, and only one control has it."""

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from tests.chaos.calls import calling
from tests.chaos.promise import Figure, Promise, milliseconds, none, quantile, told
from tests.chaos.writers import Writers
from tests.processes import spawning

READERS = 2
READ_S = 0.05
REFUSED = 2  # exit code of a start that is refused
PATIENCE_S = 30.0


def run(folder: Path, *, duration: float) -> list[Figure]:
    """Let eight writers, readers by gRPC and readers of the file go on for `duration` seconds."""
    store = folder / "geniehive.sqlite3"
    settings = {"listen": "127.0.0.1:0", "storage": {"sqlite_path": str(store)}}
    reads: list[int] = []
    over = threading.Event()
    with spawning(folder) as spawn:
        control = spawn("control", settings)
        port = control.port()
        writers = Writers(port)
        readers = [
            threading.Thread(target=read, args=(port if by_call else store, over, reads))
            for read, by_call in ((_list, True), (_query, False))
            for _ in range(READERS)
        ]
        with writers.running():
            for reader in readers:
                reader.start()
            second = _second(folder / "control-0.yaml")
            time.sleep(duration)
            over.set()
            for reader in readers:
                reader.join()
        logged = control.logged().count("locked")
    return [
        told("changes, by 8 writers", len(writers.seconds)),
        told("reads beside them", len(reads)),
        none("answers that were errors", len(writers.problems)),
        none("lines of the log that say locked", logged),
        Figure("second control on the same file: exit code", second, at_least=2, at_most=2),
        milliseconds("p99 of a change", quantile(writers.seconds, 0.99), at_most=50.0),
    ]


def _list(port: int, over: threading.Event, reads: list[int]) -> None:
    with calling(port) as calls:
        while not over.wait(READ_S):
            reads.append(len(calls.hosts()))


def _query(store: Path, over: threading.Event, reads: list[int]) -> None:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        while not over.wait(READ_S):
            reads.append(database.execute("SELECT count(*) FROM hosts").fetchone()[0])


def _second(settings: Path) -> int:
    """Start another control with the same settings, and return how it ended."""
    command = [sys.executable, "-P", "-m", "control", "--config", str(settings)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert "another control uses it" in ended.stderr, ended.stderr
    return ended.returncode


PROMISE = Promise(run, short={"duration": 2.0}, full={"duration": 300.0})
