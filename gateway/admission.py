"""What one process takes on at a time; what is beyond is refused at once, and cheaply."""

from control.api.errors import AllBusy, NotReady
from gateway.config import Limits
from gateway.keys import ANONYMOUS

_MEBIBYTE = 1 << 20


class Admission:
    """The requests under way, all and of each key, and the bytes that are held for them.

    under_way: between `enter` and `leave`. held: bytes of bodies and of collected answers;
    whoever holds some adds them, and takes them off again.
    """

    __slots__ = ("_by_key", "_memory", "_most", "_most_per_key", "held", "under_way")

    def __init__(self, limits: Limits) -> None:
        self.under_way = 0
        self.held = 0
        self._memory = limits.memory
        self._most = limits.requests
        self._most_per_key = limits.requests_per_key  # 0: no limit
        self._by_key: dict[str, int] = {}  # of those that have some under way

    def enter(self, principal: str) -> None:
        """Take a request on, until it has left.

        Raises:
            NotReady: the process has as many as it may.
            AllBusy: the key has as many as it may. Who brings none is bound by no such limit.
        """
        if self.under_way >= self._most:
            raise NotReady(
                f"{self._most} requests are under way here, as many as one process takes;"
                " retry in 1 s"
            )
        if self._most_per_key and principal != ANONYMOUS:
            others = self._by_key.get(principal, 0)
            if others >= self._most_per_key:
                raise AllBusy(
                    f"key {principal} has {others} requests under way, as many as one key may;"
                    " retry in 1 s"
                )
            self._by_key[principal] = others + 1
        self.under_way += 1

    def leave(self, principal: str) -> None:
        """Let go of a request that entered, whatever became of it."""
        self.under_way -= 1
        if principal in self._by_key:
            others = self._by_key[principal] - 1
            if others:
                self._by_key[principal] = others
            else:
                del self._by_key[principal]

    def check_memory(self, more: int) -> None:
        """Check that `more` bytes fit.

        Raises:
            NotReady: they do not.
        """
        if self.held + more > self._memory:
            raise NotReady(
                f"bodies and answers under way fill the {self._memory / _MEBIBYTE:.0f} MiB"
                " that this gateway has for them; retry in 1 s"
            )
