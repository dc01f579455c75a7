"""How often one host may call: what no honest node comes near, and a broken one runs into. Pure."""

from dataclasses import dataclass

CALLS_PER_SECOND = 20.0  # a node beats at most 10 times a second, however much changes
BURST = 100.0


@dataclass(slots=True)
class Allowance:
    """A bucket of calls that fills with time. since: monotonic seconds."""

    since: float
    left: float = BURST

    def take(self, now: float) -> bool:
        """Take one call out; return whether there was one."""
        self.left = min(BURST, self.left + (now - self.since) * CALLS_PER_SECOND)
        self.since = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True
