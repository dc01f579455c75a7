"""Words for people."""


def age(seconds: float) -> str:
    """Return a span in its largest unit: `2s`, `4m`, `3h`, `2d`. Below zero is zero."""
    whole = max(int(seconds), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def gigabytes(size: float) -> str:
    """Return bytes as decimal gigabytes: `9.1 GB`."""
    return f"{size / 1e9:.1f} GB"


def plural(number: int, noun: str) -> str:
    """Return `1 model`, `2 models`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """Return how long something takes: `420 ms`, `1.8 s`, `4m`."""
    if seconds < 0.9995:
        return f"{seconds * 1_000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else age(seconds)
