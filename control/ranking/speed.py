"""How fast services work with their assets, as gateways measured it. Pure."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

# One gateway that is as old as the cluster does not outweigh all others for ever.
MAX_WEIGHT = 1_000
# What differs by no more than this share is the same, or nothing would ever be.
NOISE = 0.05
# So much slower an answer is for each other one, where that was not measured; as in gateways.
DRAG = 0.15


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a service works with an asset; None: never measured.

    prefill: tokens of prompts read a second. decode: tokens of one answer written a second, by
    how many are written at the same time, the fewest first. load_s: seconds to load the model.
    answer: mean tokens of an answer. bytes_per_token: of a request, for a token of its prompt.
    slots: requests served at the same time. samples: answers that this was measured on.
    """

    prefill: float | None = None
    decode: tuple[tuple[int, float], ...] = ()
    load_s: float | None = None
    answer: float | None = None
    bytes_per_token: float | None = None
    slots: int | None = None
    samples: int = 0

    def decode_at(self, concurrency: int) -> float | None:
        """Return the tokens a second of one of so many answers, 1 or more.

        Where that was not measured, what was measured nearest to it tells.
        """
        if not self.decode:
            return None
        level, rate = min(self.decode, key=lambda one: abs(one[0] - concurrency))
        return rate * slower(level) / slower(concurrency)

    def completed(self, before: "Speed") -> "Speed":
        """Return the same, with what was measured before where it tells nothing."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        told = {name: value for name, value in values.items() if value not in (None, ())}
        return replace(before, **told)

    @property
    def tells_anything(self) -> bool:
        """Whether anything was measured at all."""
        return bool(self._values())

    def is_like(self, other: "Speed") -> bool:
        """Return whether the other says the same, but for noise."""
        ours, theirs = self._values(), other._values()
        return ours.keys() == theirs.keys() and all(
            abs(value - theirs[name]) <= NOISE * theirs[name] for name, value in ours.items()
        )

    def _values(self) -> dict[str | int, float]:
        """Return what was measured, by its name, or by how many answers were written."""
        named = {
            "prefill": self.prefill,
            "load_s": self.load_s,
            "answer": self.answer,
            "bytes_per_token": self.bytes_per_token,
            "slots": self.slots,
        }
        return {
            **{one: value for one, value in named.items() if value is not None},
            **dict(self.decode),
        }


UNMEASURED = Speed()


def merged(told: Collection[Speed]) -> Speed:
    """Return what several gateways measured of the same: who measured more counts more.

    Of slots the most counts, since too few starve an engine.
    """
    if len(told) == 1:
        return next(iter(told))
    levels = sorted({level for one in told for level, _ in one.decode})
    return Speed(
        _mean(told, lambda one: one.prefill),
        tuple((level, mean) for level in levels if (mean := _written(told, level)) is not None),
        _mean(told, lambda one: one.load_s),
        _mean(told, lambda one: one.answer),
        _mean(told, lambda one: one.bytes_per_token),
        max((one.slots for one in told if one.slots is not None), default=None),
        sum(one.samples for one in told),
    )


def best(told: Collection[Speed]) -> Speed:
    """Return what is believed of who was never measured: the best of others with the same asset.

    So whoever is new is tried.
    """
    speeds = [rate for one in told if (rate := one.decode_at(1)) is not None]
    return Speed(
        prefill=max((one.prefill for one in told if one.prefill is not None), default=None),
        decode=((1, max(speeds)),) if speeds else (),
        answer=_mean(told, lambda one: one.answer),
    )


def believed(own: Speed, others: Speed) -> Speed:
    """Return what a service is believed to do. others: the `best` of all with the same asset.

    How long answers are does not depend on who gives them.
    """
    return replace(
        own,
        prefill=others.prefill if own.prefill is None else own.prefill,
        decode=own.decode or others.decode,
        answer=others.answer,
    )


def slower(concurrency: int) -> float:
    """Return how much longer a token takes with so many answers, 1 or more, than with one."""
    return 1.0 + DRAG * (concurrency - 1)


def _mean(told: Collection[Speed], value: Callable[[Speed], float | None]) -> float | None:
    """Return the mean of a value, weighted by samples; None where nobody measured it."""
    known = [
        (found, min(one.samples, MAX_WEIGHT)) for one in told if (found := value(one)) is not None
    ]
    weight = sum(samples for _, samples in known)
    return sum(found * samples for found, samples in known) / weight if weight else None


def _written(told: Collection[Speed], level: int) -> float | None:
    return _mean(told, lambda one: dict(one.decode).get(level))
