"""The way back to a client: what is written on its connection, and how that ends."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

# After this a connection is cut although the client has not read, or not sent, everything.
LINGER_SECONDS = 5.0


class Wire:
    """The sending side of one client connection."""

    __slots__ = ("_end", "_server_state", "_transport")

    # Of the server itself, for all connections of the process; see `_own_head`.
    _own: ClassVar[list[tuple[bytes, bytes]]] = []
    _own_lines: ClassVar[bytes] = b""

    def __init__(self, transport: asyncio.Transport, server_state: ServerState) -> None:
        self._transport = transport
        self._server_state = server_state
        self._end: asyncio.TimerHandle | None = None  # when it is cut at the latest

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def write_answer(self, status: int, head: bytes, content: bytes, *, keep_alive: bool) -> None:
        """Write a whole answer at once."""
        if not self._transport.is_closing():
            self._transport.write(
                b"%b%b%bcontent-length: %d\r\n\r\n%b"
                % (STATUS_LINE[status], head, self._own_head(keep_alive), len(content), content)
            )

    def write_head(self, status: int, head: bytes, framing: bytes, *, keep_alive: bool) -> None:
        """Begin an answer. framing: the header line that tells how its body ends, if one does."""
        self.write(
            b"%b%b%b%b\r\n" % (STATUS_LINE[status], head, self._own_head(keep_alive), framing)
        )

    def _own_head(self, keep_alive: bool) -> bytes:
        """Return the header lines of the server itself."""
        headers = self._server_state.default_headers  # uvicorn makes a new list every second
        if self._own is not headers:
            Wire._own = headers
            Wire._own_lines = b"".join(b"%b: %b\r\n" % line for line in headers)
        return self._own_lines if keep_alive else self._own_lines + b"connection: close\r\n"

    def close(self) -> None:
        """Close the connection; a client that does not read is not waited for long."""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self.linger()

    def close_sending(self) -> None:
        """Tell the client that nothing more comes, and let it end the connection."""
        self._transport.write_eof()
        self.linger()

    def linger(self) -> None:
        """Leave the end of the connection to the client, but not for long.

        Closed wholly, what the client still sends would meet a reset, and the client
        would see that instead of its answer.
        """
        if self._end is None:
            loop = asyncio.get_running_loop()
            self._end = loop.call_later(LINGER_SECONDS, self.cut)

    def cut(self) -> None:
        """End the connection now."""
        self._transport.abort()

    def lost(self) -> None:
        """Take note that the connection is over."""
        if self._end is not None:
            self._end.cancel()
