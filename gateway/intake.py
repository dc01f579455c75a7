"""What a client is still sending: how large it may be, and how long it may take."""

from control.api.errors import HeadersTooLarge, RequestTimeout, UriTooLong
from gateway.config import Timeouts

MAX_URL_BYTES = 8 << 10
MAX_HEAD_BYTES = 32 << 10
MAX_HEADERS = 100
# A body may be slow, but not stand still: after the grace at least so much a second.
MIN_RATE = 1_024
RATE_GRACE_S = 10.0


class Intake:
    """One request on its way in. Times are seconds of the gateway's clock."""

    __slots__ = ("_began", "_body", "_head", "_headed_at", "_lines")

    def __init__(self, now: float) -> None:
        self._began = now
        self._headed_at: float | None = None
        self._head = 0
        self._lines = 0
        self._body = 0

    def url(self, length: int) -> None:
        """Take so much of the request's target.

        Raises:
            UriTooLong: it is longer than any that leads somewhere.
        """
        self._head += length
        if self._head > MAX_URL_BYTES:
            raise UriTooLong(f"the URL is longer than {MAX_URL_BYTES} bytes")

    def line(self, length: int) -> None:
        """Take a header line, or a trailer.

        Raises:
            HeadersTooLarge: there are too many, or too long ones.
        """
        self._head += length
        self._lines += 1
        if self._lines > MAX_HEADERS:
            raise HeadersTooLarge(f"the request has more than {MAX_HEADERS} headers")
        if self._head > MAX_HEAD_BYTES:
            raise HeadersTooLarge(f"the headers are larger than {MAX_HEAD_BYTES} bytes")

    def headed(self, now: float) -> None:
        """The head is whole, and there will be an answer to it."""
        self._headed_at = now

    @property
    def has_head(self) -> bool:
        return self._headed_at is not None

    def body(self, length: int) -> None:
        """Take so much of the body."""
        self._body += length

    def overdue(self, now: float, timeouts: Timeouts) -> RequestTimeout | None:
        """Return what speaks against waiting any longer."""
        if self._headed_at is None:
            if now - self._began <= timeouts.request_head:
                return None
            return RequestTimeout(f"no whole head came within {timeouts.request_head:g} s")
        waited = now - self._headed_at
        if waited > timeouts.request_body:
            return RequestTimeout(f"no whole body came within {timeouts.request_body:g} s")
        if waited > RATE_GRACE_S and self._body < MIN_RATE * waited:
            return RequestTimeout(f"the body came at less than {MIN_RATE} bytes a second")
        return None
