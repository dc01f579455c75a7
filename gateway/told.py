"""How fast a service is with an asset, as gateways tell each other. Pure."""

from dataclasses import dataclass

_NEWS = 1.05  # a value that moved by less is none


@dataclass(frozen=True, slots=True)
class Told:
    """How fast a service is with an asset, as gateways tell each other; what is unknown is None.

    prefill: tokens a second. decode: how many answers were written at the same time, and the
    tokens of one of them a second. answer: tokens. samples: answers that it was measured on.
    """

    service_id: str
    asset_id: str
    prefill: float | None = None
    decode: tuple[tuple[int, float], ...] = ()
    load_s: float | None = None
    answer: float | None = None
    bytes_per_token: float | None = None
    slots: int | None = None
    samples: int = 0


def is_news(before: Told, now: Told) -> bool:
    """Return whether `now` tells something to who knows what was told before."""
    if now.samples >= 2 * max(before.samples, 1):
        return True
    return any(map(_moved, _values(before), _values(now))) or len(before.decode) < len(now.decode)


def _values(told: Told) -> tuple[float | None, ...]:
    rates = (rate for _, rate in told.decode)
    return told.prefill, told.load_s, told.answer, told.bytes_per_token, *rates


def _moved(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is not now
    return not before / _NEWS <= now <= before * _NEWS
