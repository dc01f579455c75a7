"""What comes and goes too often is held back until it stays, so that routes do not flap. Pure.

A third fall within a minute holds a service, or a whole host, back; each one more
holds it longer. Going down is never delayed, only coming back is.
"""

from collections import deque

WINDOW_S = 60.0  # falls are counted over this time
FREE_FALLS = 2  # within it, without consequence
HOLD_S = 20.0  # for each fall above that
MAX_HOLD_S = 60.0
MAX_REMEMBERED = 10_000  # names; beyond that the one that fell longest ago is forgotten

_COUNTED = FREE_FALLS + int(MAX_HOLD_S / HOLD_S)  # more falls hold no longer


class Flaps:
    """Falls of names, of any kind, and who is held back. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._falls: dict[str, deque[float]] = {}  # the name that fell last comes last
        self._held: dict[str, float] = {}  # until when
        self._news: list[str] = []

    def fell(self, name: str, now: float) -> None:
        """Note that `name` went down."""
        falls = self._falls.pop(name, None) or deque(maxlen=_COUNTED)
        self._falls[name] = falls
        falls.append(now)
        recent = sum(now - at < WINDOW_S for at in falls)
        if recent > FREE_FALLS:
            if name not in self._held:
                self._news.append(name)
            self._held[name] = now + min(HOLD_S * (recent - FREE_FALLS), MAX_HOLD_S)
        if len(self._falls) > MAX_REMEMBERED:
            forgotten = next(iter(self._falls))
            del self._falls[forgotten]
            if forgotten in self._held:
                self._held[forgotten] = now  # released soon, so that routes follow

    def holds(self, name: str) -> bool:
        """Return whether `name` is held back."""
        return name in self._held

    def left(self, name: str, now: float) -> float:
        """Return for how many seconds `name` is still held back, 0.0 when it is not."""
        return max(0.0, self._held.get(name, now) - now)

    def take_news(self) -> list[str]:
        """Return who is held back since the last call, and was not before."""
        news, self._news = self._news, []
        return news

    def release(self, now: float) -> list[str]:
        """Let go of those whose time is over; return them."""
        over = [name for name, until in self._held.items() if now >= until]
        for name in over:
            del self._held[name]
        return over

    def __len__(self) -> int:
        return len(self._held)
