"""Whether hosts that are silent are lost, or control itself is cut off from them. No I/O."""

from collections.abc import Collection

from control.inventory import HostState
from control.members import Member

# When more than this share of at least this many hosts goes silent together,
# control takes itself for the one that is cut off, and withdraws nothing.
MASS_LOSS_SHARE = 0.55
MASS_LOSS_HOSTS = 5
# Beats are never late by more than a moment, so a host is silent long before its lease
# is over. Hosts that are cut off together must be silent before the first one is lost,
# although their last beats were spread over an interval, and though a lease may be
# as short as two intervals.
SILENT_INTERVALS = 1.4


class Silence:
    """Judges hosts by when they were heard; remembers since when too many are silent."""

    def __init__(self) -> None:
        self._spared_until = float("-inf")  # nobody is lost before

    def judge(
        self, members: Collection[Member], lease: float, now: float, *, deaf: bool
    ) -> tuple[list[Member], int]:
        """Return the hosts that are lost, and how many silent ones are spared.

        Hosts are spared, 0 if none is, when so many went silent together that control
        itself must be cut off, or when it is deaf to gateways, too. Once that is over,
        those still silent have a lease's time to be heard. lease: seconds.
        """
        silent = lost = online = 0
        over: list[Member] = []
        for member in members:
            if member.state is HostState.ONLINE:
                online += 1
                if now >= member.silent_at:
                    silent += 1
                    if now >= member.deadline:
                        over.append(member)
            elif member.state is HostState.LOST and now < member.deadline + lease:
                lost += 1  # just now, so it belongs to whatever goes on
        together = online + lost
        mass_loss = together >= MASS_LOSS_HOSTS and silent + lost > MASS_LOSS_SHARE * together
        if mass_loss or (deaf and silent):
            self._spared_until = now + lease
        if now < self._spared_until:
            return [], silent
        return over, 0
