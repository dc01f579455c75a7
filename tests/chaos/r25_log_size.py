"""R25: the write-ahead log stays small, also while somebody reads for long."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.chaos.promise import Figure, Promise, told
from tests.chaos.writers import Writers
from tests.processes import spawning

LARGEST_MB = 64.0
AFTER_MB = 4.0
LOOK_S = 0.05


def run(
    folder: Path, *, rounds: int, writing: float, reading: float, after: float, pause: float
) -> list[Figure]:
    """Write all the time; in each round read for `reading` seconds, then look after `after`.

    pause: of each writer between two pairs of changes, in seconds.
    """
    store = folder / "geniehive.sqlite3"
    log = Path(f"{store}-wal")
    settings = {"listen": "127.0.0.1:0", "storage": {"sqlite_path": str(store)}}
    sizes: list[int] = []
    left: list[int] = []
    with spawning(folder) as spawn:
        writers = Writers(spawn("control", settings).port(), pause=pause)
        with writers.running():
            for _ in range(rounds):
                _look(log, writing, sizes)
                with closing(sqlite3.connect(store, isolation_level=None)) as reader:
                    reader.execute("BEGIN")
                    reader.execute("SELECT count(*) FROM hosts").fetchone()
                    _look(log, reading, sizes)
                    reader.execute("COMMIT")
                _look(log, after, sizes)
                left.append(sizes[-1])
    megabytes = 1 << 20
    return [
        told("changes", len(writers.seconds)),
        told("long readers", rounds),
        Figure("largest log", round(max(sizes) / megabytes, 1), "MB", at_most=LARGEST_MB),
        Figure(
            f"log {after:g} s after a reader",
            round(max(left) / megabytes, 1),
            "MB",
            at_most=AFTER_MB,
        ),
    ]


def _look(log: Path, duration: float, sizes: list[int]) -> None:
    """Note how large the log is, for `duration` seconds."""
    until = time.monotonic() + duration
    while True:
        sizes.append(log.stat().st_size if log.exists() else 0)
        if time.monotonic() >= until:
            return
        time.sleep(LOOK_S)


PROMISE = Promise(
    run,
    short={"rounds": 1, "writing": 0.5, "reading": 1.5, "after": 1.0, "pause": 0.0},
    full={"rounds": 5, "writing": 60.0, "reading": 60.0, "after": 10.0, "pause": 0.2},
)
