"""A scripted model server: plays the answer it is given and remembers what reached it.

In a test: `async with Engine(script) as engine`. As a process of its own, OpenAI shaped:
`python -m tests.fakes.engine --port 0 --model small --pace 0.01`.
"""

import argparse
import asyncio
import json
import logging
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, cast

from tests.fakes import answers
from tests.fakes.answers import Answer, Close, Hang, Pause, Reset, Send

log = logging.getLogger(__name__)

ACCEPTING_TURNS = 5  # asyncio takes three from a connection to its protocol
REMEMBERED = 10_000  # requests; a rate test runs for minutes


@dataclass(slots=True, eq=False)
class Connection:
    """One connection from the peer's view: when it came, when and how it left."""

    opened_at: float  # monotonic seconds, as all times here
    closed_at: float | None = None
    by_peer: bool = False  # closed or reset by the peer, not by the script
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    unread: bytearray = field(default_factory=bytearray)  # of a request not yet complete

    async def closed_within(self, seconds: float) -> float:
        """Return when the connection ended.

        Raises:
            TimeoutError: it is still open after `seconds`.
        """
        async with asyncio.timeout(seconds):
            await self.closed.wait()
        assert self.closed_at is not None
        return self.closed_at


@dataclass(slots=True, eq=False)
class Request:
    """One request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]  # names in lower case, in the order sent
    raw: bytes  # head and body as they were on the wire
    body: bytes  # without the chunked coding
    arrived_at: float
    connection: Connection
    sent: int = 0  # bytes of the answer that the kernel has taken
    answered: asyncio.Event = field(default_factory=asyncio.Event)  # the script ended, or was cut

    def header(self, name: str) -> str | None:
        """Return the only value of a header, or nothing."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        """Return the body as a document."""
        return json.loads(self.body)


Script = Callable[[Request], Answer]


class Engine:
    """Listens on a port of the kernel's choice and answers each request by `script`.

    `script` may be replaced at any time; `requests` and `connections` hold what came,
    oldest first; `faults` what was not HTTP.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: deque[Request] = deque(maxlen=REMEMBERED)
        self.connections: deque[Connection] = deque(maxlen=REMEMBERED)
        self.faults: list[str] = []
        self.open: set[_Wire] = set()
        self._server: asyncio.Server | None = None
        self._changed = asyncio.Event()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def in_flight(self) -> int:
        """Requests whose script is still playing."""
        return sum(wire.playing is not None for wire in self.open)

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Wire(self), "127.0.0.1", port)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        # Whoever was accepted just now is not in `open` before these turns of the loop.
        for _ in range(ACCEPTING_TURNS):
            await asyncio.sleep(0)
        for wire in list(self.open):
            wire.drop()
        await self._server.wait_closed()
        await self.until(lambda: not self.open, 5.0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def until(self, fact: Callable[[], bool], seconds: float) -> None:
        """Wait for `fact` about this engine; it is looked at whenever something happens.

        Raises:
            TimeoutError: it is still false after `seconds`.
        """
        async with asyncio.timeout(seconds):
            while not fact():
                self._changed.clear()
                await self._changed.wait()

    async def request(self, number: int = 1, seconds: float = 10.0) -> Request:
        """Return the request of this number, 1 being the first, as soon as it arrived."""
        await self.until(lambda: len(self.requests) >= number, seconds)
        return self.requests[number - 1]

    def notice(self) -> None:
        """Wake whoever waits for a fact."""
        self._changed.set()


class _Wire(asyncio.Protocol):
    """One connection: reads requests, plays one answer at a time."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.playing: asyncio.Task[None] | None = None
        self.connection = Connection(time.monotonic())
        self.transport: asyncio.Transport
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's class.
        self.transport = cast(asyncio.Transport, transport)
        # So that a write is done exactly when the kernel has taken it.
        self.transport.set_write_buffer_limits(0)
        self.engine.open.add(self)
        self.engine.connections.append(self.connection)
        self.engine.notice()

    def data_received(self, data: bytes) -> None:
        self.connection.unread += data
        self._next()

    def eof_received(self) -> None:
        self._left(by_peer=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._left(by_peer=exc is not None)
        self._writable.set()
        self.engine.open.discard(self)
        self.engine.notice()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def drop(self) -> None:
        """End the connection now, whatever is being played."""
        self._left(by_peer=False)
        self.transport.abort()

    def _left(self, *, by_peer: bool) -> None:
        """Note the end of the connection once: the first reason is the true one."""
        connection = self.connection
        if connection.closed_at is None:
            connection.closed_at = time.monotonic()
            connection.by_peer = by_peer
            connection.closed.set()
            self.engine.notice()
        if self.playing is not None:
            self.playing.cancel()

    def _next(self) -> None:
        if self.playing is not None or self.connection.closed_at is not None:
            return
        try:
            request = _take(self.connection)
        except ValueError as error:
            self.engine.faults.append(f"{error}: {bytes(self.connection.unread[:200])!r}")
            self.drop()
            return
        if request is None:
            return
        self.engine.requests.append(request)
        self.playing = asyncio.get_running_loop().create_task(self._answer(request))
        self.playing.add_done_callback(lambda _: self._done(request))
        self.engine.notice()

    async def _answer(self, request: Request) -> None:
        for step in self.engine.script(request):
            match step:
                case Send(data):
                    self.transport.write(data)
                    await self._writable.wait()
                    request.sent += len(data)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Hang():
                    await self.connection.closed.wait()
                case Close():
                    self._left(by_peer=False)
                    self.transport.close()
                case Reset():
                    self._left(by_peer=False)
                    self._reset()

    def _reset(self) -> None:
        # Lingering for zero seconds turns the close into a RST.
        peer: socket.socket = self.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _done(self, request: Request) -> None:
        task, self.playing = self.playing, None
        request.answered.set()
        self.engine.notice()
        if task is not None and not task.cancelled() and (error := task.exception()):
            self.engine.faults.append(f"the script raised {error!r}")
            self.drop()
        self._next()


def _take(connection: Connection) -> Request | None:
    """Remove the first whole request from what is unread, if there is one.

    Raises:
        ValueError: it is not HTTP/1.1 with one clear length.
    """
    unread = connection.unread
    end = unread.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = unread[:end].decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if version != "HTTP/1.1":
        raise ValueError(f"version {version!r}")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise ValueError(f"header {line!r}")
        headers.append((name.lower(), value.strip(" \t")))
    lengths = [value for name, value in headers if name == "content-length"]
    codings = [value for name, value in headers if name == "transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise ValueError("more than one length")
    if codings:
        found = _unchunk(unread, end + 4)
    else:
        length = int(lengths[0]) if lengths else 0
        stop = end + 4 + length
        found = (bytes(unread[end + 4 : stop]), stop) if len(unread) >= stop else None
    if found is None:
        return None
    body, stop = found
    raw = bytes(unread[:stop])
    del unread[:stop]
    return Request(method, target, headers, raw, body, time.monotonic(), connection)


def _unchunk(unread: bytearray, at: int) -> tuple[bytes, int] | None:
    """Return the body of the chunked coding that starts at `at`, and where it ends."""
    body = b""
    while (line := unread.find(b"\r\n", at)) >= 0:
        size = int(unread[at:line], 16)
        at = line + 2 + size + 2
        if len(unread) < at:
            return None
        body += unread[line + 2 : at - 2]
        if size == 0:
            return body, at
    return None


def openai(models: Sequence[str], *, words: int = 8, pace: float = 0.0) -> Script:
    """Return the script of a server that serves `models` and always says the same.

    pace: seconds before each word of a stream.
    """
    text = ["word "] * words

    def script(request: Request) -> Answer:
        match request.method, request.target.partition("?")[0]:
            case "GET", "/health":
                return answers.document({"status": "ok"})
            case "GET", "/v1/models":
                entries = [{"id": model, "object": "model"} for model in models]
                return answers.document({"object": "list", "data": entries})
            case "POST", "/v1/chat/completions":
                return chat(request.json())
            case "POST", "/v1/embeddings":
                return embeddings(request.json())
        return answers.failure(404, "File Not Found", "not_found_error")

    def chat(asked: dict[str, Any]) -> Answer:
        if asked["model"] not in models:
            return answers.failure(404, f"model {asked['model']!r} not found")
        if not asked.get("stream"):
            return answers.document(answers.completion("".join(text), asked["model"]))
        with_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        parts = answers.completion_events(text, asked["model"], with_usage=with_usage)
        return answers.events(parts, pace)

    def embeddings(asked: dict[str, Any]) -> Answer:
        if asked["model"] not in models:
            return answers.failure(404, f"model {asked['model']!r} not found")
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        return answers.document(
            answers.embeddings(
                [float(len(text)) for text in texts],
                asked["model"],
                asked.get("dimensions", 4),
                encoded=asked.get("encoding_format") == "base64",
            )
        )

    return script


async def serve(engine: Engine, port: int = 0) -> None:
    """Be the process of `engine` until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await engine.start(port)
    log.info("listening on %s", engine.address)
    await stop.wait()
    await engine.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.engine", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 lets the kernel choose")
    parser.add_argument("--model", action="append", help="may be given several times")
    parser.add_argument("--words", type=int, default=8, help="words of an answer")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds before each word")
    given = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    script = openai(given.model or ["small"], words=given.words, pace=given.pace)
    asyncio.run(serve(Engine(script), given.port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
