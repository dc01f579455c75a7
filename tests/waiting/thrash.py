"""How often two models that are asked by turns drop each other out of memory.

A real llama.cpp as a router, in which one model fits. `python -m tests.waiting.thrash`: four
minutes; writes a part of docs/routing.md.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.marks import filled
from tests.integration.conftest import DEMO_MODEL, start_llama_server
from tests.processes import Service, stop_all
from tests.waiting.arrivals import Arrival, Fate, replay, told
from tests.waiting.fleet import Fleet, serving
from tests.waiting.pages import PAGE

MARK = "thrash, made by `make waiting`"
MODELS = ("small-one", "small-two")
REQUESTS, GAP_S = 60, 0.2  # between two requests, which are for one model and the other
PROMPT, ANSWER = 20, 20
ROUNDS = 2
WAYS = {True: "in the gateway", False: "in the engine"}


class Router:
    """The engine, and how many models it has loaded since it was looked at last."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._known = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._service.port()}"

    def loads(self) -> int:
        """Return the loads since the last time."""
        known = self._known
        self._known = self._service.logged().count("spawning server instance with name=")
        return self._known - known


@contextmanager
def running_router(folder: Path) -> Iterator[Router]:
    """Run llama-server with two models on disk, of which one fits into memory."""
    (models := folder / "models").mkdir()
    for name in MODELS:
        (models / f"{name}.gguf").symlink_to(DEMO_MODEL)
    options = ("--models-dir", str(models), "--models-max", "1", "-c", "2048")
    service = start_llama_server(folder / "router.log", *options)
    try:
        yield Router(service)
    finally:
        stop_all([service])


async def measure(
    fleet: Fleet, router: Router, requests: int, gap_s: float
) -> tuple[int, list[Fate]]:
    """Return how often a model was loaded for requests by turns, and what became of them."""
    router.loads()
    asked = [
        Arrival(number * gap_s, PROMPT, ANSWER, MODELS[number % len(MODELS)])
        for number in range(requests)
    ]
    fates = await replay(fleet.url, asked)
    await asyncio.to_thread(fleet.settle, MODELS[0])
    return router.loads(), fates


def row(room: bool, loads: int, fates: Sequence[Fate]) -> str:
    """Return a line of the table."""
    return f"| {WAYS[room]} | {loads} | {told(fates)} |"


def main() -> None:
    """Measure both ways by turns, and write the page."""
    rows = [
        "| requests wait | models loaded | first token p50 | p95 | unanswered |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    with (
        tempfile.TemporaryDirectory() as name,
        running_router(Path(name)) as router,
        serving(Path(name), {"desk": router.endpoint}, MODELS[0]) as fleet,
    ):
        for room in ROUNDS * list(WAYS):
            fleet.open_room(room)
            rows.append(row(room, *asyncio.run(measure(fleet, router, REQUESTS, GAP_S))))
            print(rows[-1], file=sys.stderr, flush=True)
    PAGE.write_text(filled(PAGE.read_text(), MARK, "\n".join(rows)))


if __name__ == "__main__":
    main()
