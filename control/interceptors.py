"""The edge of every RPC, of all four kinds: who calls, what went wrong, one line in the log.

A gRPC interceptor sees method and metadata only, so the work is done in a
wrapper around the handler, inside the RPC. Requests are decoded there, too: a
message that is none is the caller's fault, where gRPC would say INTERNAL.
"""

import asyncio
import contextlib
import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from control.api import logs, tracing
from control.api.channel import MAX_RECEIVE_BYTES
from control.api.errors import (
    REASON_KEY,
    BadRequest,
    Forbidden,
    GenieHiveError,
    PeerTooSlow,
    Unavailable,
)
from control.api.tracing import Tracer
from control.principals import Doorkeeper, caller
from control.rpc_counts import RpcCounts
from control.scopes import SCOPES

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
# Generic in the stubs only, so it is quoted; None is a method that does not exist.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"

STOPPING = "control is stopping; connect again"
MAX_MESSAGE = 1_024  # bytes, of an error
# A peer that takes nothing for so long is not served any more: a message waits for it in memory.
READ_S = 20.0
# Its status waits behind that message; a call does not wait for it.
ABORT_S = 1.0
# Nodes and probes call these all the time: logged only for who looks closely.
QUIET = ("Heartbeat", ".Health/", "ServerReflection")


class Edge(grpc.aio.ServerInterceptor):
    """Admits callers, turns errors into statuses, and ends streams when control stops.

    read_s: seconds that a peer may take to read one message.
    """

    def __init__(
        self, doorkeeper: Doorkeeper, read_s: float = READ_S, tracer: Tracer | None = None
    ) -> None:
        self._doorkeeper = doorkeeper
        self._tracer = tracer
        self._read_s = read_s
        self.counts = RpcCounts()
        self._streams: set[asyncio.Task[Any]] = set()
        self._writing: set[asyncio.Task[Any]] = set()
        self._stopping = False

    async def end_streams(self, patience: float) -> None:
        """End every stream with UNAVAILABLE: its caller comes back, to a new control.

        Returns when their callers were told, or after `patience` seconds.
        """
        self._stopping = True
        streams = set(self._streams)
        for task in streams - self._writing:
            task.cancel()
        if streams:
            await asyncio.wait(streams, timeout=patience)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Return the handler of a method, wrapped; None for a method that does not exist."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:
            return None  # gRPC answers UNIMPLEMENTED
        method = handler_call_details.method
        kinds = {
            (False, False): (grpc.unary_unary_rpc_method_handler, handler.unary_unary),
            (False, True): (grpc.unary_stream_rpc_method_handler, handler.unary_stream),
            (True, False): (grpc.stream_unary_rpc_method_handler, handler.stream_unary),
            (True, True): (grpc.stream_stream_rpc_method_handler, handler.stream_stream),
        }
        make, serve = kinds[handler.request_streaming, handler.response_streaming]
        decode = _decoded_stream if handler.request_streaming else _decoded
        answer = self._stream if handler.response_streaming else _answer

        async def call(raw: Any, context: Context) -> Any:
            async def run() -> Any:
                return await answer(
                    serve(decode(raw, handler.request_deserializer), context), context
                )

            streaming = handler.request_streaming or handler.response_streaming
            return await self._guard(method, run, context, streaming=streaming)

        # Without a deserializer gRPC hands over the bytes.
        wrapped: Handler = make(call, None, _encoder(method, handler.response_serializer))
        return wrapped

    async def _guard(
        self, method: str, run: Callable[[], Awaitable[Any]], context: Context, *, streaming: bool
    ) -> Any:
        """Run an RPC in the name of its caller, and abort it with the status of its error."""
        started = time.monotonic()
        outcome, why = "ok", ""
        task = asyncio.current_task()
        if streaming and task is not None:
            self._streams.add(task)
        try:
            if streaming and self._stopping:
                raise Unavailable(STOPPING)
            metadata = tuple(context.invocation_metadata() or ())
            self._admit(method, metadata)
            # A stream is no piece of work: it lives as long as both sides do.
            tracer = None if streaming or _is_quiet(method) else self._tracer
            with tracing.call(tracer, method, metadata):
                return await run()
        except asyncio.CancelledError:
            outcome = "cancelled"
            if task is None or not self._stopping or context.cancelled():
                raise  # swallowed, it would leak inside gRPC: grpc#43360
            task.uncancel()
            await _abort(context, Unavailable(STOPPING))
        except grpc.aio.AbortError:
            outcome = "aborted"
            raise
        except GenieHiveError as error:
            outcome, why = error.code, f": {error}"
            await _abort(context, error)
        except Exception:  # the one place where an unexpected error stops travelling
            outcome = GenieHiveError.code
            log.exception("%s failed", method)
            await _abort(context, GenieHiveError("internal error; control's log says more"))
        finally:
            if task is not None:
                self._streams.discard(task)
            level = logging.DEBUG if _is_quiet(method) else logging.INFO
            took = time.monotonic() - started
            self.counts.count(method, outcome, took, streaming=streaming)
            # The address, too: who has a wrong key has no name.
            who = f"{caller.get().id} at {context.peer()}"
            log.log(level, "%s by %s: %s%s, %.1f ms", method, who, outcome, why, took * 1000)

    async def _stream(self, answer: Any, context: Context) -> None:
        # A handler either yields its messages or writes them itself.
        if not inspect.isasyncgen(answer):
            await answer
            return
        task = asyncio.current_task()
        assert task is not None  # gRPC runs each call in one
        async with aclosing(answer):
            async for message in answer:
                # Cancelled within a write, a call could not be given a status any more:
                # gRPC takes none before the message is sent.
                self._writing.add(task)
                try:
                    async with asyncio.timeout(self._read_s):
                        await context.write(message)
                except TimeoutError as error:
                    raise PeerTooSlow(
                        f"a message was not read within {self._read_s:.0f} s"
                    ) from error
                finally:
                    self._writing.discard(task)
                if self._stopping:
                    raise Unavailable(STOPPING)

    def _admit(self, method: str, metadata: Iterable[tuple[str, object]]) -> None:
        logs.name_request(metadata)
        scope = SCOPES.get(method)
        if scope is None:
            raise Forbidden(f"{method} may be called by nobody")
        # A call runs in a task of its own, so this and the name of the request end with it.
        caller.set(self._doorkeeper.admit(method, scope, metadata))


def _is_quiet(method: str) -> bool:
    return any(word in method for word in QUIET)


async def _answer(answer: Awaitable[Any], _context: Context) -> Any:
    return await answer


def _decoded(raw: bytes, deserializer: Callable[[bytes], Any]) -> Any:
    try:
        return deserializer(raw)
    except DecodeError as error:
        raise BadRequest(f"the request is not a message of this method: {error}") from error


async def _decoded_stream(
    raw: AsyncIterator[bytes], deserializer: Callable[[bytes], Any]
) -> AsyncIterator[Any]:
    async for one in raw:
        yield _decoded(one, deserializer)


def _encoder(method: str, serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def encode(message: Any) -> bytes:
        raw = serialize(message)
        # gRPC would end the call without a word to us, and its caller would ask again for ever.
        if len(raw) > MAX_RECEIVE_BYTES:
            log.error("%s: an answer of %d bytes is more than callers take", method, len(raw))
            raise GenieHiveError("the answer is too large; control's log says more")
        return raw

    return encode


async def _abort(context: Context, error: GenieHiveError) -> None:
    # Trailers that are too large would arrive as another error. On the wire a byte takes up to 3.
    message = str(error).encode(errors="replace")[:MAX_MESSAGE].decode(errors="ignore")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ABORT_S):
            await context.abort(error.grpc, message, ((REASON_KEY, error.code),))
