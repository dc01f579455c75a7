"""Sends a trace to a gateway as it came, whatever becomes of those before: an open loop."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from urllib.parse import unquote

import httpx

from bench.gateway_client import gateway_client
from bench.replay.arrivals import Arrival, body
from bench.replay.figures import SHARES, at_share, good, plain
from bench.runs.listening import MAX_BYTES, Heard, Unreadable, count, failure_in, parsed

PATH = "/v1/chat/completions"
CONNECT_S = 10.0
MAX_ERROR_BYTES = 64 << 10
# Requests under way at a time: who falls so far behind is told no more.
MOST_UNDER_WAY = 4_096
NOT_SENT = "not_sent"

Clock = Callable[[], float]


@dataclass(slots=True)
class Sent:
    """What became of one request. Times are seconds after it was due; NaN where there is none.

    late: when it was really sent. first, whole: when its first token and its last came. tokens:
    of the answer. position: in the gateway's queue when it came, 0 when it was sent on at once.
    waited: seconds there, as the gateway tells before the first byte. failure: a word.
    """

    arrival: Arrival
    late: float = 0.0
    first: float = math.nan
    whole: float = math.nan
    tokens: int = 0
    service: str = ""
    position: int = 0
    waited: float = math.nan
    failure: str = ""

    @property
    def good(self) -> bool:
        """Whether it was answered well enough."""
        writing_s = self.whole - self.first
        return not self.failure and good(self.arrival.prompt, self.tokens, self.first, writing_s)


@dataclass(slots=True)
class Run:
    """What was sent so far, of so many."""

    size: int
    over: list[Sent] = field(default_factory=list)
    under_way: int = 0


@dataclass(frozen=True, slots=True)
class Asking:
    """How requests are sent. deadline_s: that one may take; scale: of lengths."""

    client: httpx.AsyncClient
    model: str
    deadline_s: float
    scale: float = 1.0
    whole: bool = False


def opened(url: str, key: str | None) -> httpx.AsyncClient:
    """Open a client of the gateway at a URL."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=256)
    return gateway_client(url, key, limits, CONNECT_S)


async def send(
    asking: Asking,
    arrivals: Sequence[Arrival],
    run: Run,
    tell: Callable[[Run], None],
    clock: Clock,
) -> None:
    """Send each request when it is due; `run` has what became of them, also when cancelled."""
    began = clock()
    async with asyncio.TaskGroup() as group:
        for arrival in arrivals:
            # Made before it is due: a long prompt takes milliseconds.
            content = body(arrival, asking.model, asking.scale, whole=asking.whole)
            await asyncio.sleep(max(0.0, began + arrival.due - clock()))
            sent = Sent(arrival)
            if run.under_way >= MOST_UNDER_WAY:
                sent.failure = NOT_SENT
                run.over.append(sent)
                continue
            run.under_way += 1
            group.create_task(_one(asking, sent, content, began + arrival.due, run, tell, clock))


async def _one(
    asking: Asking,
    sent: Sent,
    content: dict[str, object],
    due: float,
    run: Run,
    tell: Callable[[Run], None],
    clock: Clock,
) -> None:
    sent.late = clock() - due
    try:
        async with asyncio.timeout(asking.deadline_s):
            await _ask(asking.client, sent, content, due, clock)
    except TimeoutError:
        sent.failure = "timeout"
    except (httpx.ConnectError, httpx.ConnectTimeout):
        sent.failure = "unreachable"
    except httpx.HTTPError:
        sent.failure = "connection_lost"
    except Unreadable as error:
        sent.failure = str(error)
    finally:
        run.under_way -= 1
    run.over.append(sent)
    tell(run)


async def _ask(
    client: httpx.AsyncClient, sent: Sent, content: dict[str, object], due: float, clock: Clock
) -> None:
    async with client.stream("POST", PATH, json=content) as answer:
        headers = answer.headers
        sent.service = unquote(headers.get("x-geniehive-service", ""))
        sent.position = int(_number(headers.get("x-geniehive-queue-position"), 0.0))
        sent.waited = _number(headers.get("x-geniehive-queue-ms"), math.nan) / 1_000
        heard, size = Heard(), 0
        error = bytearray()
        async for data in answer.aiter_bytes():
            size += len(data)
            if answer.status_code != httpx.codes.OK:
                error += data[: MAX_ERROR_BYTES - len(error)]
            elif size <= MAX_BYTES:
                heard.feed(data, clock())
            else:
                raise Unreadable("answer_too_large")
    if answer.status_code != httpx.codes.OK:
        sent.failure = _refusal(answer.status_code, bytes(error))
        return
    sent.whole = clock() - due
    sent.first = heard.times[0] - due if heard.times else math.nan
    sent.tokens = count(heard.usage, "completion_tokens") or len(heard.times)
    sent.failure = heard.failure or ("" if heard.ended else "cut_off")


def _number(text: str | None, missing: float) -> float:
    try:
        number = float(text) if text is not None else missing
    except ValueError:
        return missing
    return number if math.isfinite(number) and 0 <= number <= 1e12 else missing


def _refusal(status: int, content: bytes) -> str:
    try:
        return failure_in(parsed(content)) or f"http_{status}"
    except Unreadable:
        return f"http_{status}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run came to. Times are seconds; NaN where nothing was measured.

    late_p99: how much later than due requests were sent. waited: requests that waited in the
    gateway. errors, services: how many, by word and by id.
    """

    sent: int
    answered: int
    goodput: float
    ttft_p50: float
    ttft_p95: float
    ttft_p99: float
    ttft_curve: tuple[float, ...]
    whole_p50: float
    whole_p95: float
    tokens_per_s: float
    waited: int
    wait_p50: float
    wait_p95: float
    late_p99: float
    late_max: float
    errors: dict[str, int]
    services: dict[str, int]

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return plain(asdict(self))


def seen(run: Run) -> Seen:
    """Return what a run came to."""
    over = run.over
    answered = [one for one in over if not one.failure]
    firsts = sorted(one.first for one in answered if not math.isnan(one.first))
    wholes = sorted(one.whole for one in answered)
    waits = sorted(one.waited for one in answered if not math.isnan(one.waited))
    late = sorted(one.late for one in over if one.failure != NOT_SENT)
    ends = [one.arrival.due + one.whole for one in answered]
    return Seen(
        sent=len(over),
        answered=len(answered),
        goodput=sum(one.good for one in answered) / max(1, len(over)),
        ttft_p50=at_share(firsts, 0.5),
        ttft_p95=at_share(firsts, 0.95),
        ttft_p99=at_share(firsts, 0.99),
        ttft_curve=tuple(at_share(firsts, share) for share in SHARES),
        whole_p50=at_share(wholes, 0.5),
        whole_p95=at_share(wholes, 0.95),
        tokens_per_s=sum(one.tokens for one in answered) / max(ends, default=math.inf),
        waited=sum(one.position > 0 for one in over),
        wait_p50=at_share(waits, 0.5),
        wait_p95=at_share(waits, 0.95),
        late_p99=at_share(late, 0.99),
        late_max=late[-1] if late else math.nan,
        errors=dict(Counter(one.failure for one in over if one.failure).most_common()),
        services=dict(Counter(one.service or "?" for one in answered).most_common()),
    )
