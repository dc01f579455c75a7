"""What a key with one request a second waits beside one with 200 at once, on two real slots.

`python -m tests.waiting.fairness`: five minutes; writes a part of docs/routing.md.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.marks import filled
from tests.waiting.arrivals import Arrival, Fate, replay, told
from tests.waiting.fleet import MODEL, Engine, Fleet, running_fleet
from tests.waiting.pages import PAGE

MARK = "fairness, made by `make waiting`"
TWO_SLOTS = Engine("desk", 2, 1.0)
CROWD, MANY_S = 200, 30  # requests at once, and seconds in which the other key sends one each
PROMPT, ANSWER = 20, 20
# All that 200 may come to wait inside the engine, where nothing waits before it.
GATEWAY = {"limits": {"requests_per_service": 1024, "requests_per_slot": 1024}}


class Way(NamedTuple):
    """A way to wait. own_key: whether the one with few requests has a key of its own."""

    words: str
    room: bool
    own_key: bool


WAYS = (
    Way("in the gateway, two keys", room=True, own_key=True),
    Way("in the gateway, one key", room=True, own_key=False),
    Way("in the engine", room=False, own_key=True),
)


async def measure(fleet: Fleet, way: Way, crowd: int, seconds: int) -> list[Fate]:
    """Return what became of the few requests."""
    fleet.open_room(way.room)
    many = [Arrival(0.0, PROMPT, ANSWER, MODEL, "crowd")] * crowd
    key = "alone" if way.own_key else "crowd"
    few = [Arrival(float(second), PROMPT, ANSWER, MODEL, key) for second in range(1, seconds + 1)]
    fates = await replay(fleet.url, [*few, *many])
    await asyncio.to_thread(fleet.settle, MODEL, "crowd")
    return fates[: len(few)]


def row(way: Way, few: Sequence[Fate]) -> str:
    """Return a line of the table."""
    return f"| {way.words} | {told(few)} |"


def main() -> None:
    """Measure all ways, and write the page."""
    rows = [
        "| requests wait | first token p50 | p95 | unanswered |",
        "| --- | ---: | ---: | ---: |",
    ]
    with tempfile.TemporaryDirectory() as folder:
        keys = ("crowd", "alone")
        with running_fleet(Path(folder), [TWO_SLOTS], keys, GATEWAY) as fleet:
            asyncio.run(replay(fleet.url, [Arrival(0.0, PROMPT, ANSWER, MODEL, "crowd")] * 4))
            for way in WAYS:
                rows.append(row(way, asyncio.run(measure(fleet, way, CROWD, MANY_S))))
                print(rows[-1], file=sys.stderr, flush=True)
    PAGE.write_text(filled(PAGE.read_text(), MARK, "\n".join(rows)))


if __name__ == "__main__":
    main()
