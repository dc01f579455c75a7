"""How calls of control ended and how long they took, counted since it began."""

from collections import Counter, defaultdict

from control.api.latency import bucket


class RpcCounts:
    """Counts by method; there are as many as the contract has, whatever callers ask for."""

    def __init__(self) -> None:
        self.ended: Counter[tuple[str, str]] = Counter()  # by method, and ok or the error's code
        self.durations: defaultdict[str, Counter[int]] = defaultdict(Counter)  # by latency bucket

    def count(self, method: str, outcome: str, seconds: float, *, streaming: bool) -> None:
        """Count a call that ended. How long a stream lasted tells nothing about control."""
        self.ended[method, outcome] += 1
        if not streaming:
            self.durations[method][bucket(seconds)] += 1
