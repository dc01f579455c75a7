"""UsageService: takes what gateways measured. Translates only."""

import logging
import re
from collections.abc import AsyncIterator, Sequence

import grpc
from geniehive.v1 import usage_service_pb2 as pb
from geniehive.v1 import usage_service_pb2_grpc as pb_grpc
from google.protobuf.duration_pb2 import Duration

from control import measured
from control.api.errors import InvalidValue
from control.api.latency import BUCKETS
from control.measured import Counts
from control.measurements import Increment, Measurements
from control.text import unprintable

INTERVAL_S = 1.0  # between two batches of a gateway: what waits is lost when it crashes
MAX_INCREMENTS = 200  # in a batch; read in 3 ms
MAX_NAME = 200
MAX_CODES = 64
MAX_COUNT = 2**53  # in one batch; what others can still count exactly

_REPORTER = re.compile(r"[A-Za-z0-9]{8,64}")
_CODE = re.compile(r"[a-z0-9_]{1,64}")

log = logging.getLogger(__name__)


class UsageServicer(pb_grpc.UsageServiceServicer):
    """See the comments of the service in the contract."""

    def __init__(self, measurements: Measurements) -> None:
        self._measurements = measurements

    async def ReportUsage(
        self,
        request_iterator: AsyncIterator[pb.ReportUsageRequest],
        context: grpc.aio.ServicerContext[pb.ReportUsageRequest, pb.ReportUsageResponse],
    ) -> AsyncIterator[pb.ReportUsageResponse]:
        interval = Duration()
        interval.FromMilliseconds(int(INTERVAL_S * 1000))
        async for request in request_iterator:
            if _REPORTER.fullmatch(request.reporter_id) is None:
                raise InvalidValue("reporter_id is not 8 to 64 letters and digits")
            if request.sequence < 1:
                raise InvalidValue(f"sequence {request.sequence} is below 1")
            await self._measurements.add(
                request.reporter_id, request.sequence, _usable(request.increments)
            )
            yield pb.ReportUsageResponse(sequence=request.sequence, interval=interval)


def _usable(messages: Sequence[pb.UsageIncrement]) -> list[Increment]:
    # A batch that is refused would come again for ever, so what makes no sense is left out.
    found = []
    for message in messages[:MAX_INCREMENTS]:
        counts = _counts(message)
        if counts is not None and _is_name(message.service_id) and _is_name(message.asset_id):
            found.append(((message.service_id, message.asset_id), counts))
    if len(found) < len(messages):
        log.warning("%d increments of usage make no sense", len(messages) - len(found))
    return found


def _counts(message: pb.UsageIncrement) -> Counts | None:
    """Return the counts above 0 in `message`, or None when they cannot be believed."""
    if len(message.error_counts) > MAX_CODES or len(message.first_byte_counts) > BUCKETS:
        return None  # a message has room for a million, and control for nothing else meanwhile
    spent = message.decode_duration
    counts = Counts(
        {
            measured.ANSWERED: message.answered_count,
            measured.ABANDONED: message.abandoned_count,
            measured.PROMPT_TOKENS: message.prompt_tokens,
            measured.COMPLETION_TOKENS: message.completion_tokens,
            measured.DECODED_TOKENS: message.decoded_tokens,
            measured.DECODE_US: spent.seconds * 1_000_000 + spent.nanos // 1_000,
        }
    )
    for code, count in message.error_counts.items():
        counts[measured.ERROR + code] = count
    for place, count in message.first_byte_counts.items():
        counts[f"{measured.FIRST_BYTE}{place}"] = count
    believable = (
        all(0 <= count <= MAX_COUNT for count in counts.values())
        and all(_CODE.fullmatch(code) for code in message.error_counts)
        and all(0 <= place < BUCKETS for place in message.first_byte_counts)
    )
    return +counts if believable else None


def _is_name(text: str) -> bool:
    return 1 <= len(text) <= MAX_NAME and not unprintable(text)
