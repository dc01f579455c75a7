"""How requests went, as text."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from rich.cells import cell_len

from cli.output import clean
from cli.table import Row, table
from cli.text import duration

# No more than a clock can show, whatever a gateway tells.
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e10)]

RUNNING, WAITING, ANSWERED, LEFT = "running", "waiting", "answered", "client_left"
UNDER_WAY = frozenset({RUNNING, WAITING})
NUMBERS = frozenset({"TRIES", "TOOK"})


class Error(msgspec.Struct):
    """Why who was asked did not answer."""

    code: str
    message: str


class Attempt(msgspec.Struct):
    """One service that was asked. began_s: after the request's beginning."""

    began_s: Seconds
    service_id: str
    asset_id: str
    error: Error | None


class Queue(msgspec.Struct):
    """That it waited for a free service. entered_s: as `began_s`. position: 1 for the next."""

    entered_s: Seconds
    waited_s: Seconds
    position: int
    reason: str


class Usage(msgspec.Struct):
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int


class Request(msgspec.Struct):
    """One request, as `GET /v1/requests/ID` tells of it. What is more there is not read."""

    id: str
    client_request_id: str | None
    operation: str
    model: str | None
    outcome: str
    status: int | None
    message: str | None
    began_at: Seconds  # since 1970
    overhead_ms: float | None
    first_byte_s: Seconds | None
    duration_s: Seconds | None
    attempts: list[Attempt]
    usage: Usage | None
    queue: Queue | None = None  # older gateways let nobody wait

    def took(self, now: float) -> str:
        """Return how long it took, or takes so far. now: seconds since 1970."""
        spent = max(0.0, now - self.began_at) if self.duration_s is None else self.duration_s
        return duration(spent)

    @property
    def came_to(self) -> str:
        """What came of it."""
        if self.outcome in UNDER_WAY or self.outcome == LEFT:
            return self.outcome.replace("_", " ")
        status = str(self.status or "-")
        return status if self.outcome == ANSWERED else f"{status} {self.outcome}"


def render(request: Request, now: float, *, closely: bool = False) -> str:
    """Return the screen of one. now: seconds since 1970; closely: also what it is called."""
    lines = [_headline(request, now)]
    if closely:
        known_as = (
            f", {request.client_request_id} to its client" if request.client_request_id else ""
        )
        began = datetime.fromtimestamp(request.began_at).astimezone()
        lines.append(f"{request.id}{known_as}, began {began:%Y-%m-%d %H:%M:%S}")
    return "\n".join(clean(line) for line in [*lines, *_steps(request)])


def table_of(requests: Sequence[Request], now: float, width: int | None) -> str:
    """Return the screen of many, in the order they come. now, width: as above, in cells."""
    if not requests:
        return "no requests yet"
    titles = ["TIME", "REQUEST", "MODEL", "SERVICE", "TRIES", "OUTCOME", "TOOK"]
    rows = []
    for place, one in enumerate(requests):
        began = datetime.fromtimestamp(one.began_at).astimezone()
        service = one.attempts[-1].service_id if one.attempts else "-"
        cells = [f"{began:%H:%M:%S}", one.id, one.model or "?", service, str(len(one.attempts))]
        rows.append(Row((place,), [*cells, one.came_to, one.took(now)]))
    return table(titles, rows, numbers=NUMBERS, width=width)


def _headline(request: Request, now: float) -> str:
    asked = f'{request.operation} "{request.model}"' if request.model else request.operation
    if request.attempts:
        last = request.attempts[-1]
        asked += f" -> {last.service_id} {last.asset_id}"
    between = {RUNNING: "for", WAITING: "for", LEFT: "after"}.get(request.outcome, "in")
    parts = [asked, f"{request.came_to} {between} {request.took(now)}"]
    if request.usage is not None:
        parts.append(f"{request.usage.prompt_tokens} in, {request.usage.completion_tokens} out")
    return "  ".join([*parts, "(no content kept)"])


def _steps(request: Request) -> Iterator[str]:
    """Yield a line for each that was asked, and for what the client waited for or was told."""
    queue = request.queue
    width = max((cell_len(one.service_id) for one in request.attempts), default=0)
    last = len(request.attempts) - 1
    for place, one in enumerate(request.attempts):
        if queue is not None and queue.entered_s <= one.began_s:
            yield _queued(queue)
            queue = None
        name = one.service_id + " " * (width - cell_len(one.service_id))
        what = _failed(one.error, one.service_id) if one.error else _served(request)
        what += ", next" if place < last else ""
        if place == last and request.overhead_ms is not None:
            what += f"   our overhead {request.overhead_ms:g} ms"
        yield f" +{one.began_s:.1f}s {name}  {what}"
    if queue is not None:
        yield _queued(queue)
    told = request.attempts[-1].error if request.attempts else None
    # What the client is told may say more around it, but nobody need read the same twice.
    if request.message and not (told and told.message in request.message):
        ended = f" +{request.duration_s:.1f}s " if request.duration_s is not None else " "
        yield f"{ended}{request.message}"


def _queued(queue: Queue) -> str:
    """Return how long it waited, and for what."""
    waited = f"waited {duration(queue.waited_s)}, position {queue.position}"
    return f" +{queue.entered_s:.1f}s {waited}: {queue.reason}"


def _failed(error: Error, service_id: str) -> str:
    """Return what went wrong; who it was stands before it already."""
    return f"{error.code}: {error.message.removeprefix(f'{service_id} ').removeprefix(': ')}"


def _served(request: Request) -> str:
    """Return how the answer came."""
    if request.outcome in UNDER_WAY and request.first_byte_s is None:
        return "nothing yet"
    parts = [str(request.status)] if request.status else []
    first, ended = request.first_byte_s, request.duration_s
    if first is not None and first != ended:
        parts.append(f"first byte +{first:.1f}s")
        if request.usage and ended and ended > first and request.usage.completion_tokens > 1:
            speed = (request.usage.completion_tokens - 1) / (ended - first)
            parts.append(f"{speed:.0f} tok/s")
    return ", ".join(parts) or "no answer"
