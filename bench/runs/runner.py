"""Runs workloads against a target, so many requests at a time, until it is done or dead."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import httpx

from bench.gateway_client import gateway_client
from bench.runs.asking import UNREACHABLE, Question, ask
from bench.runs.record import Record
from bench.runs.workload import Workload

# So many failures in a row, and a target counts as dead; more where more are under way.
FAILURES_IN_A_ROW = 5
FAILURES_AT_THE_END = 3  # for each that is under way: slow ones, that time out, come last
# What no other request would be spared.
FINAL = {
    UNREACHABLE,
    *("invalid_api_key", "operation_not_allowed", "model_not_found", "operation_mismatch"),
}
CONNECT_SECONDS = 5.0
AWAY_SECONDS = 0.5  # before the next request when nobody listens: a gateway may be starting again
INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. deadline: seconds a request. warmups: requests before those that count."""

    target: str
    workloads: Sequence[Workload]
    concurrency: int = 1
    repeats: int = 1
    warmups: int = 1
    deadline: float = 120.0
    service_id: str = ""

    def questions(self) -> Iterator[Question]:
        """Yield all requests, every case of a workload before any of them comes again."""
        for workload in self.workloads:
            for repeat in range(self.repeats):
                for case in workload.cases:
                    yield Question(self.target, workload, case, repeat)

    @property
    def size(self) -> int:
        """How many requests count."""
        return self.repeats * sum(len(workload.cases) for workload in self.workloads)


@dataclass(slots=True)
class Progress:
    """How far a run is. stopped: why it ended early; empty when it did not."""

    size: int
    records: list[Record] = field(default_factory=list)
    stopped: str = ""
    failing: int = 0  # requests that failed since the last answer

    def take(self, record: Record) -> None:
        """Note what a request came to."""
        self.records.append(record)
        self.failing = self.failing + 1 if record.failure else 0

    def give_up_after(self, failures: int) -> None:
        """Take the target for dead when so many requests in a row failed."""
        if not self.stopped and self.failing >= failures:
            last = self.records[-1].failure
            self.stopped = f"the last {self.failing} requests failed ({last})"


Tell = Callable[[Progress], None]


def client(gateway: str, key: str | None, concurrency: int) -> httpx.AsyncClient:
    """Open a client of the gateway at a URL."""
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    return gateway_client(gateway, key, limits, CONNECT_SECONDS)


async def run(
    opened: httpx.AsyncClient, plan: Plan, progress: Progress, stop: asyncio.Event, tell: Tell
) -> None:
    """Run a plan; `progress` has all that was found, also when `stop` is set half-way."""
    running = asyncio.create_task(_run(opened, plan, progress, tell))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            progress.stopped = INTERRUPTED
    finally:
        running.cancel()
        stopping.cancel()
        ended = await asyncio.gather(running, stopping, return_exceptions=True)
    if isinstance(ended[0], Exception):
        raise ended[0]


async def _run(opened: httpx.AsyncClient, plan: Plan, progress: Progress, tell: Tell) -> None:
    for workload in plan.workloads:
        for number in range(plan.warmups):
            case = workload.cases[number % len(workload.cases)]
            question = Question(plan.target, workload, case, 0)
            record = await ask(opened, question, plan.deadline, plan.service_id)
            if record.failure in FINAL:
                progress.take(record)
                progress.stopped = f"the first request failed ({record.failure})"
                return
            if record.failure:
                break  # whether it is dead, the requests that count find out
    questions = plan.questions()
    limit = max(FAILURES_IN_A_ROW, 2 * plan.concurrency)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(plan.concurrency, plan.size)):
            group.create_task(_work(opened, plan, questions, progress, limit, tell))
    progress.give_up_after(min(limit, FAILURES_AT_THE_END * plan.concurrency))


async def _work(
    opened: httpx.AsyncClient,
    plan: Plan,
    questions: Iterable[Question],
    progress: Progress,
    limit: int,
    tell: Tell,
) -> None:
    for question in questions:
        record = await ask(opened, question, plan.deadline, plan.service_id)
        progress.take(record)
        progress.give_up_after(limit)
        tell(progress)
        if progress.stopped:
            return
        if record.failure == UNREACHABLE:
            await asyncio.sleep(AWAY_SECONDS)
