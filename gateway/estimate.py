"""A number that is learned from samples, of which any may be odd. Pure."""

_ODD = 10.0  # a sample that is off by more counts as if it was off by this


class Estimate:
    """A positive number within a range: the mean of the logarithms of its samples, faded.

    value: 0.0 while it is unknown. mass: samples of our own, the worth of each at most 1.
    """

    __slots__ = ("_highest", "_lowest", "_weight", "mass", "value")

    def __init__(self, lowest: float, highest: float, weight: float) -> None:
        """weight: how much a sample counts once there are many; the first ones count more."""
        self._lowest = lowest
        self._highest = highest
        self._weight = weight
        self.value = 0.0
        self.mass = 0.0

    def tell(self, value: float | None) -> None:
        """Start from `value`, unless there is something of our own or that cannot be."""
        if value is not None and not self.mass and 0.0 < value < float("inf"):
            self.value = min(max(value, self._lowest), self._highest)

    def learn(self, sample: float, worth: float = 1.0) -> None:
        """Take note of a sample, unless that cannot be. worth: more than 0, at most 1."""
        if not (0.0 < sample < float("inf") and 0.0 < worth <= 1.0):  # NaN is neither
            return
        self.mass += worth
        if value := self.value:
            ratio = min(max(sample / value, 1 / _ODD), _ODD)
            sample = value * ratio ** (worth * max(self._weight, 1 / (1.0 + self.mass)))
        self.value = min(max(sample, self._lowest), self._highest)
