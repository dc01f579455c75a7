"""The client's side of an exchange, where its answer goes."""

from typing import Protocol


class Downstream(Protocol):
    """See the module. `head`: header lines without those that frame the body."""

    def respond(self, status: int, head: bytes, content: bytes) -> None:
        """Send a whole answer."""

    def start(self, status: int, head: bytes) -> None:
        """Begin an answer of unknown length."""

    def write(self, content: bytes) -> None:
        """Go on with it."""

    def end(self, content: bytes) -> None:
        """End it with `content`, possibly nothing."""

    def break_off(self, content: bytes) -> None:
        """End it with `content`, and the connection with it: it is not what it should be."""

    def cut(self) -> None:
        """End the connection at once: the client does not read."""
