"""What gateways learned of how fast a service is, in words."""

from collections.abc import Iterator, Sequence

from geniehive.v1 import inventory_pb2 as inventory

from cli.text import duration

LEVELS_SHOWN = 3  # beside that of an answer which is written alone


def speeds(learned: Sequence[inventory.LearnedRates]) -> Iterator[str]:
    """Yield a line for each asset of a service of which anything is known."""
    for one in learned:
        if known := ", ".join(_speed(one)):
            yield f"{one.asset_id} {known}" if len(learned) > 1 else known


def _speed(one: inventory.LearnedRates) -> Iterator[str]:
    if one.HasField("prefill_tokens_per_second"):
        yield f"reads {_rate(one.prefill_tokens_per_second)} tok/s"
    if one.decode:
        yield f"writes {_writing(one.decode)}"
    if one.HasField("load"):
        yield f"loads in {duration(one.load.ToTimedelta().total_seconds())}"
    if one.HasField("answer_tokens"):
        yield f"answers of {_rate(one.answer_tokens)} tokens"


def _writing(decode: Sequence[inventory.DecodeRate]) -> str:
    first, *more = sorted(decode, key=lambda one: one.concurrency)
    beside = [f"{one.concurrency} at once: {_rate(one.tokens_per_second)}" for one in more]
    if first.concurrency > 1:
        beside.insert(0, f"{first.concurrency} at once")
    told = ", ".join(beside[:LEVELS_SHOWN])
    return f"{_rate(first.tokens_per_second)} tok/s" + (f" ({told})" if told else "")


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
