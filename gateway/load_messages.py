"""What a gateway tells control of services, and hears of them, as messages. Copies only."""

import math
from collections.abc import Iterable, Mapping
from itertools import islice

from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb

from control.api.message_values import seconds
from gateway.breaker import Ejected
from gateway.cells import Busy, microseconds
from gateway.load import Elsewhere
from gateway.told import Told

# Control keeps no more: of characters, and of services.
MAX_REASON, MAX_SERVICES = 100, 1_000
MAX_RATES, MAX_LEVELS = 200, 16  # that one message holds, and one of them

_IDLE = Busy()


def load_messages(
    loads: Mapping[str, Busy], ejections: Mapping[str, Ejected]
) -> list[pb.ServiceLoad]:
    """Return what control is told: how busy services are, and what is kept out, by service."""
    told = dict(islice(ejections.items(), MAX_SERVICES))
    messages = []
    for service_id in {**loads, **told}:
        busy = loads.get(service_id, _IDLE)
        load = pb.ServiceLoad(service_id=service_id, in_flight=busy.in_flight, waiting=busy.waiting)
        if pending_us := microseconds(busy.pending_s):
            load.pending_prefill.FromMicroseconds(pending_us)
        if (ejection := told.get(service_id)) is not None:
            load.ejection.reason = ejection.reason[:MAX_REASON]
            load.ejection.hinted = ejection.hinted
            load.ejection.remaining.FromMilliseconds(math.ceil(ejection.remaining * 1_000))
        messages.append(load)
    return messages


def elsewhere(loads: Iterable[pb.ServiceLoad]) -> dict[str, Elsewhere]:
    """Return what others do at services, and what waits inside, by service."""
    return {
        one.service_id: Elsewhere(
            one.in_flight, one.queue_depth, seconds(one, "pending_prefill") or 0.0
        )
        for one in loads
    }


def rate_messages(
    learned: Iterable[Told], slots: Mapping[str, int]
) -> list[inventory.LearnedRates]:
    """Return what was measured of how fast services are. slots: believed, by service."""
    return [_rate_message(one, slots.get(one.service_id)) for one in learned if one.samples > 0]


def told(rates: Iterable[inventory.LearnedRates]) -> list[Told]:
    """Return what control tells of how fast services are."""
    return [
        Told(
            one.service_id,
            one.asset_id,
            _number(one, "prefill_tokens_per_second"),
            tuple((level.concurrency, level.tokens_per_second) for level in one.decode),
            seconds(one, "load"),
            _number(one, "answer_tokens"),
            _number(one, "bytes_per_token"),
            one.slots if one.HasField("slots") else None,
            one.sample_count,
        )
        for one in rates
    ]


def _rate_message(one: Told, slots: int | None) -> inventory.LearnedRates:
    message = inventory.LearnedRates(
        service_id=one.service_id,
        asset_id=one.asset_id,
        prefill_tokens_per_second=one.prefill,
        decode=[
            inventory.DecodeRate(concurrency=level, tokens_per_second=rate)
            for level, rate in one.decode[:MAX_LEVELS]
        ],
        answer_tokens=one.answer,
        slots=slots,
        sample_count=one.samples,
        bytes_per_token=one.bytes_per_token,
    )
    if one.load_s is not None:
        message.load.FromMicroseconds(round(one.load_s * 1e6))
    return message


def _number(one: inventory.LearnedRates, field: str) -> float | None:
    value: float = getattr(one, field)
    return value if one.HasField(field) else None
