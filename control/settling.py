"""When absence counts after a start of control: who is not back by then is gone. Pure.

Control knows the hosts of its last life, and waits for them. If it lost its store,
it knows none of them and not how many there are; then it waits as long as they come.
"""

MOMENT_S = 3.0  # for connecting and registering
# How long hosts may take, in times of what they were told.
MARGIN = 1.25
# How long a fleet may take of whose size nothing is known; 10,000 hosts need a minute.
LATEST_S = 75.0
# Fewer are back so soon that nobody has to wait for more of them.
SMALL_FLEET = 100


class Settling:
    """The time after a start, until what is not registered is gone.

    expected: whether there are hosts of control's last life. return_time: seconds in
    which they come back. grace: seconds that hosts have for it, at least. now:
    monotonic seconds, here and below.
    """

    def __init__(self, *, expected: bool, return_time: float, grace: float, now: float) -> None:
        self._expected = expected
        self._all_may_be_back = now + MOMENT_S + return_time
        # A large fleet takes longer to come back than most would be willing to wait.
        needed = MOMENT_S + MARGIN * return_time if expected else 0.0
        self._grace_ends = now + max(grace, needed)
        self._latest = max(self._grace_ends, now + LATEST_S)
        self._stranger_at = float("-inf")
        self._settled = False

    def forgive(self, seconds: float) -> None:
        """Lengthen everything by a time in which control itself did not run."""
        self._all_may_be_back += seconds
        self._grace_ends += seconds
        self._latest += seconds

    def met(self, now: float) -> None:
        """Note that a host registered that control did not know."""
        self._stranger_at = now

    def grace_is_over(self, now: float) -> bool:
        """Return whether the hosts of control's last life had their time."""
        return now >= self._grace_ends

    def settled(self, returning: int, online: int, now: float) -> bool:
        """Return whether absence counts, from then on for ever.

        returning: hosts of control's last life that are not back. online: those that are there.
        """
        self._settled = self._settled or self._over(returning, online, now)
        return self._settled

    def _over(self, returning: int, online: int, now: float) -> bool:
        # The store may lack a host that registered while the disk took nothing.
        if self._expected and now >= self._all_may_be_back and not returning:
            return True
        coming = online > SMALL_FLEET and now < self._stranger_at + MOMENT_S
        return now >= (self._latest if coming else self._grace_ends)
