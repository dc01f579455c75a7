"""Work in steps, taken one by one."""


def counted(steps):
    """Take all steps; return what they come to, and how many there were."""
    taken = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, taken
        taken += 1
