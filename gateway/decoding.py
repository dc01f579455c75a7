"""How fast a service writes one of several answers, by how many there are. Pure."""

from collections.abc import Iterable, Iterator

from gateway.estimate import Estimate

# How many answers at the same time are told apart.
LEVELS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
_MOST = LEVELS[-1]
_NEAREST = tuple(min(LEVELS, key=lambda level: abs(level - one)) for one in range(_MOST + 1))

# So much slower an answer is for each other one, where that was not measured.
# Source: between what GPUs do (0.12) and small ones (0.25) in simulation.
_DRAG = 0.15
_SLOWER = tuple(1.0 + _DRAG * max(one - 1, 0) for one in range(_MOST + 1))


class Decoding:
    """Tokens of one answer a second, learned at some levels of concurrency.

    alone: of an answer with no other beside it, 0.0 when nothing is known.
    """

    __slots__ = ("_levels", "_lowest", "_token_s", "alone")

    def __init__(self) -> None:
        self.alone = 0.0
        self._levels: dict[int, Estimate] = {}
        self._lowest = _MOST
        self._token_s: dict[int, float] = {}  # by concurrency, as far as it was asked for

    def token_s(self, concurrency: int) -> float | None:
        """Return the seconds a token takes while so many answers are written; None: unknown.

        Where that was not measured, what was measured nearest to it tells.
        """
        found = self._token_s.get(concurrency)
        if found is None and self._levels:
            beside = _within(concurrency)
            near = min(self._levels, key=lambda level: (abs(level - beside), level))
            found = _SLOWER[beside] / (_SLOWER[near] * self._levels[near].value)
            if concurrency == beside:
                self._token_s[concurrency] = found
        return found

    def learn(self, rate: float, concurrency: int) -> None:
        """Take note that an answer came at so many tokens a second, beside others or alone."""
        beside = _within(concurrency)
        level = _NEAREST[beside]
        one = self._levels.get(level) or _unknown()
        one.learn(rate * _SLOWER[beside] / _SLOWER[level])
        self._keep(level, one)

    def tell(self, rates: Iterable[tuple[int, float]]) -> None:
        """Start from rates by concurrency, at levels where there is nothing of our own."""
        for concurrency, rate in rates:
            level = _NEAREST[_within(concurrency)]
            one = self._levels.get(level) or _unknown()
            one.tell(rate)
            self._keep(level, one)

    def known(self, *, own: bool) -> Iterator[tuple[int, float]]:
        """Return rates by level. own: only those that were measured here."""
        for level, one in sorted(self._levels.items()):
            if one.mass or not own:
                yield level, one.value

    def _keep(self, level: int, one: Estimate) -> None:
        if not one.value:  # what it was to learn cannot be
            return
        self._levels[level] = one
        self._token_s.clear()
        if level <= self._lowest:
            self._lowest = level
            self.alone = one.value * _SLOWER[level]


def slower(concurrency: int) -> float:
    """Return how many times slower one of so many answers is than one that is alone."""
    return _SLOWER[_within(concurrency)]


def _within(concurrency: int) -> int:
    return 1 if concurrency < 1 else _MOST if concurrency > _MOST else concurrency


def _unknown() -> Estimate:
    return Estimate(0.01, 1e5, 0.1)
