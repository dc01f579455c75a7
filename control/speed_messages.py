"""How fast services are, as messages. What gateways tell is made safe value by value."""

from collections.abc import Iterable, Iterator

from geniehive.v1 import inventory_pb2 as pb

from control.api.message_values import seconds
from control.ranking.speed import Speed
from control.speeds import Key
from control.text import unprintable

MAX_LEVELS = 16  # of concurrency
MAX_ID = 500  # characters

# What no engine does: a measurement beyond is none. The least, and the most.
PREFILL = 0.01, 1e7  # tokens a second
DECODE = 0.01, 1e6  # the same
LOAD_S = 0.0, 7_200.0
ANSWER = 0.0, 1e7  # tokens
BYTES_PER_TOKEN = 0.01, 1e4
COUNT = 1, 10_000  # slots, and answers at the same time


def speeds(messages: Iterable[pb.LearnedRates]) -> Iterator[tuple[Key, Speed]]:
    """Yield what a gateway measured; without values that cannot be."""
    for one in messages:
        known = all(
            0 < len(id) <= MAX_ID and not unprintable(id) for id in (one.service_id, one.asset_id)
        )
        if known and one.sample_count > 0:
            yield (one.service_id, one.asset_id), _speed(one)


def speed_message(key: Key, speed: Speed) -> pb.LearnedRates:
    """Return how fast a service is with an asset."""
    service_id, asset_id = key
    message = pb.LearnedRates(
        service_id=service_id,
        asset_id=asset_id,
        prefill_tokens_per_second=speed.prefill,
        decode=[
            pb.DecodeRate(concurrency=level, tokens_per_second=rate)
            for level, rate in speed.decode[:MAX_LEVELS]
        ],
        answer_tokens=speed.answer,
        slots=speed.slots,
        sample_count=speed.samples,
        bytes_per_token=speed.bytes_per_token,
    )
    if speed.load_s is not None:
        message.load.FromMicroseconds(round(speed.load_s * 1e6))
    return message


def _speed(one: pb.LearnedRates) -> Speed:
    decode = {
        level.concurrency: level.tokens_per_second
        for level in one.decode[:MAX_LEVELS]
        if _within(level.concurrency, COUNT) and _within(level.tokens_per_second, DECODE)
    }
    return Speed(
        _told(one, "prefill_tokens_per_second", PREFILL),
        tuple(sorted(decode.items())),
        load_s
        if (load_s := seconds(one, "load")) is not None and _within(load_s, LOAD_S)
        else None,
        _told(one, "answer_tokens", ANSWER),
        _told(one, "bytes_per_token", BYTES_PER_TOKEN),
        one.slots if one.HasField("slots") and _within(one.slots, COUNT) else None,
        one.sample_count,
    )


def _told(one: pb.LearnedRates, field: str, bounds: tuple[float, float]) -> float | None:
    value: float = getattr(one, field)
    return value if one.HasField(field) and _within(value, bounds) else None


def _within(value: float, bounds: tuple[float, float]) -> bool:
    least, most = bounds
    return least <= value <= most  # never so for NaN
