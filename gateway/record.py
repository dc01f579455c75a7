"""What is remembered of one request for people who ask how it went; never what it said."""

from collections.abc import Sequence

import msgspec

from gateway.totals import ANSWERED

MAX_MODEL = 200  # characters of what a client calls a model
RUNNING = "running"
WAITING = "waiting"  # for a service that is free
UNDER_WAY = frozenset({RUNNING, WAITING})


class Attempt(msgspec.Struct, frozen=True):
    """One service that was asked. at: seconds after the request's beginning."""

    at: float
    service_id: str
    host_id: str
    asset_id: str
    code: str = ""  # of the error it ended with; empty while it lasts, and when it answered
    message: str = ""


class Queued(msgspec.Struct, frozen=True):
    """That a request waited until a service was free. at: when it began to, as in `Attempt`.

    seconds: in all, so far if it waits still. position: at its beginning, 1 for the next.
    """

    at: float
    seconds: float
    position: int
    reason: str  # what it waited for, in words


class Record(msgspec.Struct, frozen=True):
    """One request. outcome: `RUNNING`, `WAITING`, `ANSWERED`, `LEFT` or the code of an error.

    status: as the client was told, 0 when it was not. Times are seconds: `began` since 1970,
    the others after that; None for what has not come.
    """

    request_id: str
    client_id: str  # what the client calls the request; empty when it does not
    principal: str  # who asked
    operation: str
    model: str  # as the client calls it; empty when it was not understood
    began: float
    outcome: str
    status: int
    attempts: Sequence[Attempt]
    sent: float | None = None  # when the last attempt began
    first_byte: float | None = None
    ended: float | None = None
    message: str = ""  # of the error it ended with
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    queued: Queued | None = None  # if it had to wait

    @property
    def noteworthy(self) -> bool:
        """Whether somebody may want to know why it went as it did."""
        in_order = self.outcome == ANSWERED or self.outcome in UNDER_WAY
        return not in_order or len(self.attempts) > 1

    @property
    def overhead(self) -> float | None:
        """Seconds until somebody was asked, but for those that it waited; None if nobody was."""
        if not self.attempts:
            return None
        first = self.attempts[0].at
        waited = self.queued.seconds if self.queued and self.queued.at <= first else 0.0
        return max(0.0, first - waited)
