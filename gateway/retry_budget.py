"""How many requests may be tried again at a time, so that an outage is not multiplied."""

from gateway.config import Failover


class RetryBudget:
    """Places for second and later attempts at services of which some fail as well.

    A service that has not failed lately needs no place: what it gets was meant for another
    one, and multiplies nothing. retried, denied: attempts so far.
    """

    __slots__ = ("_settings", "denied", "retried", "under_way")

    def __init__(self, settings: Failover) -> None:
        self._settings = settings
        self.under_way = 0
        self.retried = 0
        self.denied = 0

    def begin(self, active: int) -> bool:
        """Take a place, if one is free. active: requests under way."""
        if self.under_way >= max(self._settings.minimum, self._settings.share * active):
            self.denied += 1
            return False
        self.under_way += 1
        return True

    def end(self) -> None:
        """Give a place back."""
        self.under_way -= 1
