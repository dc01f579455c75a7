"""A number that is learned from samples, of which any may be odd. Pure."""

_ODD = 10.0  # a sample that is off by more counts as if it was off by this
_INFINITE = float("inf")


class Estimate:
    """A positive number within a range: the mean of its samples' logarithms, older ones faded.

    value: 0.0 while it is unknown. mass: samples of our own, each by its worth.
    """

    __slots__ = ("_highest", "_lowest", "_weight", "mass", "value")

    def __init__(self, lowest: float, highest: float, weight: float) -> None:
        """weight: of a sample, once there are many; the first ones count more."""
        self._lowest = lowest
        self._highest = highest
        self._weight = weight
        self.value = 0.0
        self.mass = 0.0

    def tell(self, value: float | None) -> None:
        """Start from `value`, unless it cannot be, or there is something of our own."""
        if value is not None and not self.mass and 0.0 < value < _INFINITE:
            self.value = self._bounded(value)

    def learn(self, sample: float, worth: float = 1.0) -> None:
        """Take note of a sample, unless it cannot be. worth: more than 0, at most 1."""
        if not (0.0 < sample < _INFINITE and 0.0 < worth <= 1.0):  # NaN is neither
            return
        self.mass = mass = self.mass + worth
        if value := self.value:
            ratio = sample / value
            ratio = _ODD if ratio > _ODD else 1 / _ODD if ratio < 1 / _ODD else ratio
            weight = 1 / (1.0 + mass)
            sample = value * ratio ** (worth * (weight if weight > self._weight else self._weight))
        self.value = self._bounded(sample)

    def _bounded(self, value: float) -> float:
        return min(max(value, self._lowest), self._highest)
