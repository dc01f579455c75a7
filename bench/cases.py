"""What every target is measured at."""

from dataclasses import dataclass

EVENTS = 65  # of a stream: its tokens, and its usage
GAP_MS = 5.0  # between tokens


@dataclass(frozen=True, slots=True)
class Case:
    """One way to load a target. Times are seconds."""

    name: str
    title: str
    connections: int
    stream: bool = False
    seconds: float = 2.5
    warmup: float = 0.4

    def arguments(self, *, quick: bool) -> list[str]:
        """Return the arguments of `bench load`."""
        arguments = [
            *("--connections", str(self.connections)),
            *("--seconds", str(1.0 if quick else self.seconds)),
            *("--warmup", str(self.warmup)),
        ]
        return [*arguments, "--stream", "--events", str(EVENTS)] if self.stream else arguments


JSON_1 = Case("json-1", "whole answers, 1 connection", 1, seconds=2.0)
JSON_64 = Case("json-64", "whole answers, 64 connections", 64)
SSE_64 = Case("sse-64", "64 streams", 64, stream=True)
SSE_256 = Case("sse-256", "256 streams", 256, stream=True)
CASES = (JSON_1, JSON_64, SSE_64, SSE_256)
