"""A clock that a test moves."""


class Clock:
    """Monotonic seconds; also says what wall time a moment was."""

    def __init__(self, now=1_000.0):
        self.now = now

    def __call__(self):
        return self.now

    def wall_time(self, moment):
        return moment + 1_700_000_000.0
