"""What a run of the load generator amounts to, for people and for programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.figures import percentile
from bench.load import Record

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
# For the curve of all latencies: denser where it is steep.
CURVE = (0.01, 0.05, *(n / 10 for n in range(1, 10)), 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run. Times are microseconds; a `cpu` figure is of the process under test.

    None: nothing of the kind happened, or nobody said which process it is.
    """

    seconds: float
    answered: int
    requests_per_second: float
    latency: dict[str, float] | None
    first_byte: dict[str, float] | None
    gap: dict[str, float] | None
    events: int
    events_per_second: float
    asked: int
    delivered: int
    errors: dict[str, int]
    reconnected: int
    unanswered: int
    unsent: int
    cpu_share: float | None  # of one core
    cpu_per_request: float | None
    cpu_per_event: float | None
    rss_mib: float | None
    own_share: float  # of one core, by the load generator
    curve: tuple[float, ...]  # latency at each of CURVE; empty without any

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Return it for people: what, and how much."""
        rows = [
            ("requests", f"{self.answered:,} in {self.seconds:.1f} s"),
            ("requests/s", f"{self.requests_per_second:,.0f}"),
            *_times("latency", self.latency),
            *_times("first byte", self.first_byte),
            *_times("between events", self.gap),
        ]
        if self.events:
            rows.append(("events/s", f"{self.events_per_second:,.0f}"))
        if self.asked:
            rows.append(("events delivered", f"{self.delivered:,} of {self.asked:,}"))
        if self.cpu_share is not None:
            rows.append(("CPU under test", f"{self.cpu_share:.0%} of a core"))
        for what, value in (("request", self.cpu_per_request), ("event", self.cpu_per_event)):
            if value is not None:
                rows.append((f"CPU/{what}", f"{value:,.1f} us"))
        if self.rss_mib is not None:
            rows.append(("memory", f"{self.rss_mib:.0f} MiB"))
        rows.append(("CPU of this generator", f"{self.own_share:.0%} of a core"))
        for error, count in sorted(self.errors.items()):
            rows.append((f"error: {error}", f"{count:,}"))
        rows += [
            (what, f"{count:,}")
            for what, count in (
                ("connections opened anew", self.reconnected),
                ("unanswered at the end", self.unanswered),
                ("not sent in time", self.unsent),
            )
            if count
        ]
        return rows


def outcome(record: Record, *, measured: bool) -> Outcome:
    """Return what `record` amounts to. measured: whether it knows of a process under test."""
    latencies = sorted(record.latencies)
    seconds, answered = record.seconds, len(latencies)
    cpu_us = record.used.cpu_ns / 1_000
    return Outcome(
        seconds=round(seconds, 3),
        answered=answered,
        requests_per_second=round(answered / seconds, 1),
        latency=_summary(latencies),
        first_byte=_summary(sorted(record.first_bytes)),
        gap=_summary(sorted(record.gaps)),
        events=record.events,
        events_per_second=round(record.events / seconds, 1),
        asked=record.asked,
        delivered=record.delivered,
        errors=dict(record.errors),
        reconnected=record.reconnected,
        unanswered=record.unanswered,
        unsent=record.unsent,
        cpu_share=round(cpu_us / 1e6 / seconds, 4) if measured else None,
        cpu_per_request=round(cpu_us / answered, 2) if measured and answered else None,
        cpu_per_event=round(cpu_us / record.events, 2) if measured and record.events else None,
        rss_mib=round(record.used.rss_bytes / 2**20, 1) if measured else None,
        own_share=round(record.own_cpu_ns / 1e9 / seconds, 4),
        curve=tuple(_us(percentile(latencies, share)) for share in CURVE) if latencies else (),
    )


def _summary(ordered: Sequence[int]) -> dict[str, float] | None:
    if not ordered:
        return None
    return {name: _us(percentile(ordered, share)) for name, share in SHARES.items()}


def _us(nanoseconds: int | None) -> float:
    assert nanoseconds is not None  # there are values
    return round(nanoseconds / 1_000, 1)


def _times(what: str, summary: dict[str, float] | None) -> list[tuple[str, str]]:
    if summary is None:
        return []
    return [(f"{what} {name}", f"{value:,.0f} us") for name, value in summary.items()]
