"""Records and reports as runs make them."""

from bench.runs import report
from bench.runs.record import Record


def record(case="a", *, ttft=100.0, gap=10.0, tokens=5, service="h1/s", asset="m", **more):
    """A chat that was answered; `ttft`, `gap` in milliseconds."""
    gaps = (gap,) * (tokens - 1)
    given = {
        "latency_ms": (ttft or 0.0) + sum(gaps),
        "ttft_ms": ttft,
        "gaps_ms": gaps,
        "prompt_tokens": 7,
        "completion_tokens": tokens,
        "decoded_tokens": tokens,
        **more,
    }
    return Record("mentor", "chat.w", case, 0, service, asset, **given)


def failed(word="timeout", *, service="", case="a"):
    return Record("mentor", "chat.w", case, 0, service, failure=word, latency_ms=5.0)


def run(records, *, stopped=""):
    """The report of a run that was planned to be as long as it is."""
    asked = report.Run("mentor", ["chat.w"], 1_775_583_000.0, 1, 1, len(records), stopped)
    return report.document(asked, records, {})
