"""How the other services reach control, and how they read its errors back."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import grpc

from control.api.errors import REASON_KEY, ControlUnavailable, from_status

MAX_RECEIVE_BYTES = 16 << 20  # a snapshot of 10,000 services is under 1 MB

# Keepalive is never below the server's minimum, or it answers GOAWAY `too_many_pings`.
CLIENT_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", MAX_RECEIVE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A proxy in the environment is meant for the internet, not for the cluster.
    ("grpc.enable_http_proxy", 0),
]
SERVER_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.max_send_message_length", MAX_RECEIVE_BYTES),
    # Stream 101 of 100 waits silently; this is above what one channel multiplexes.
    ("grpc.max_concurrent_streams", 20_000),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 3),
    ("grpc.max_connection_age_ms", 1_800_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    # Two controls on one port would each see half of the cluster.
    ("grpc.so_reuseport", 0),
]


def aio_channel(
    address: str, credentials: grpc.ChannelCredentials | None = None
) -> grpc.aio.Channel:
    """Open an asyncio channel to control at `address`, `host:port`. Connects lazily."""
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=CLIENT_OPTIONS)
    return grpc.aio.secure_channel(address, credentials, options=CLIENT_OPTIONS)


def sync_channel(address: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.Channel:
    """Open a blocking channel to control at `address`, `host:port`. Connects lazily."""
    if credentials is None:
        return grpc.insecure_channel(address, options=CLIENT_OPTIONS)
    return grpc.secure_channel(address, credentials, options=CLIENT_OPTIONS)


@contextmanager
def control_errors() -> Iterator[None]:
    """Raise what control raised, as the same class, instead of a gRPC status.

    Cancellation of our own call passes as it is; so does that of the task, which grpc.aio answers
    with the error or the end that it met at the same moment.
    """
    try:
        yield
    except Exception as error:
        if _is_cancelled():
            raise asyncio.CancelledError from error
        if isinstance(error, grpc.RpcError):
            trailers: Iterable[tuple[str, str | bytes]] = error.trailing_metadata() or ()  # type: ignore[assignment]  # the stub does not know that metadata iterates as pairs
            reason = next((str(value) for key, value in trailers if key == REASON_KEY), None)
            raise from_status(error.code(), reason, error.details() or "no details") from error
        if isinstance(error, asyncio.InvalidStateError):
            # How grpc.aio answers a write to a stream that ended before; it does not say why.
            raise ControlUnavailable("the stream to control has ended") from error
        raise


def _is_cancelled() -> bool:
    """Return whether the task that runs here, if any, was told to stop."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a thread without a loop
        return False
    return task is not None and task.cancelling() > 0
