"""Tells control what the meter counted: a batch at a time, each until it is acknowledged."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
from geniehive.v1 import usage_service_pb2 as pb
from geniehive.v1 import usage_service_pb2_grpc as pb_grpc

from control.api import auth
from gateway.inbox import Inbox, Stream
from gateway.meter import Increment, Meter

MAX_INCREMENTS = 200  # what control takes in one batch
MAX_COUNT = 2**53  # what control believes of one batch
FIRST_INTERVAL_S = 1.0  # until control has told its own


@dataclass(frozen=True, slots=True)
class Batch:
    """What is told at once. Sent again it is the same, or it might be counted twice."""

    sequence: int
    increments: tuple[Increment, ...]


class Outbox:
    """At most one batch that is not acknowledged; what comes meanwhile adds up in the meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._sequence = 0
        self._batch: Batch | None = None

    @property
    def empty(self) -> bool:
        """Whether control has been told everything."""
        return self._batch is None and not self._meter.waiting

    def due(self) -> Batch | None:
        """Return the batch to be sent until it is acknowledged, if there is anything to tell."""
        if self._batch is None and self._meter.waiting:
            self._sequence += 1
            self._batch = Batch(self._sequence, tuple(self._meter.take(MAX_INCREMENTS)))
        return self._batch

    def acknowledge(self, sequence: int) -> None:
        """Take note that control keeps the batch of this number; an older one changes nothing."""
        if self._batch is not None and sequence == self._batch.sequence:
            self._batch = None


class UsageLink:
    """Empties the outbox over one stream after the other."""

    def __init__(self, meter: Meter, channel: grpc.aio.Channel, metadata: auth.Metadata) -> None:
        self._outbox = Outbox(meter)
        self._reporter = secrets.token_hex(16)
        self._metadata = metadata
        self._stub: Any = pb_grpc.UsageServiceStub(channel)
        self._hurry = asyncio.Event()
        self._told = asyncio.Event()

    async def flush(self, patience: float) -> bool:
        """Tell what is left at once; return whether all was told within `patience` seconds."""
        self._hurry.set()
        try:
            async with asyncio.timeout(patience):
                while not self._outbox.empty:
                    self._told.clear()
                    await self._told.wait()
        except TimeoutError:
            return False
        finally:
            self._hurry.clear()
        return True

    async def life(self) -> AsyncIterator[None]:
        """Tell what comes for as long as one stream lives; yields after each acknowledgement."""
        stream: Stream = self._stub.ReportUsage(metadata=self._metadata)
        inbox = Inbox(stream)
        interval = FIRST_INTERVAL_S
        try:
            while True:
                if (batch := self._outbox.due()) is not None:
                    await stream.write(_message(self._reporter, batch))
                    response = await inbox.receive()
                    if response is grpc.aio.EOF:
                        return
                    self._outbox.acknowledge(response.sequence)
                    self._told.set()
                    interval = response.interval.ToTimedelta().total_seconds() or interval
                    yield
                if await inbox.receive(interval, self._hurry) is grpc.aio.EOF:
                    return
        finally:
            await inbox.close()


def _message(reporter: str, batch: Batch) -> pb.ReportUsageRequest:
    return pb.ReportUsageRequest(
        reporter_id=reporter,
        sequence=batch.sequence,
        increments=[_increment(one) for one in batch.increments],
    )


def _increment(found: Increment) -> pb.UsageIncrement:
    message = pb.UsageIncrement(
        service_id=found.service_id,
        asset_id=found.asset_id,
        answered_count=found.answered,
        abandoned_count=found.abandoned,
        error_counts=found.errors,
        # Whatever engines say of their tokens, others must be heard.
        prompt_tokens=min(found.prompt_tokens, MAX_COUNT),
        completion_tokens=min(found.completion_tokens, MAX_COUNT),
        decoded_tokens=min(found.decoded_tokens, MAX_COUNT),
        first_byte_counts=found.first_bytes,
    )
    message.decode_duration.FromMicroseconds(int(found.decode_s * 1e6))
    return message
