"""Who sees a request go by: its spans, its line in the log. None of them sees its content."""

from collections.abc import Callable
from typing import Protocol

from control.api.errors import GenieHiveError
from gateway.reasoning import Usage
from gateway.request_head import RequestHead
from gateway.upstream import Upstream


class Witness(Protocol):
    """Of one request. It ends with `over` or `left`, once."""

    def named(self, model: str) -> None:
        """See what is asked for, as the client calls it."""

    def waited(self, seconds: float, position: int) -> None:
        """See that it waited until a service was free, or for that. position: at first, from 1."""

    def attempt(self, upstream: Upstream, asset: bytes) -> bytes:
        """See who is asked; return header lines for it. asset: as a JSON string."""

    def first_byte(self) -> None:
        """See that the answer begins."""

    def failed(self, error: GenieHiveError) -> None:
        """See that who is being asked does not answer as it should."""

    def over(self, status: int, usage: Usage | None, error: GenieHiveError | None) -> None:
        """See the end: what the client was told, and what the answer used, if it is known."""

    def left(self, status: int) -> None:
        """See that the client left. status: that it was told before; 0 for none."""


# Of a request's head and its id.
Begin = Callable[[RequestHead, bytes], Witness]
