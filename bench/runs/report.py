"""The report of a run: what control takes in, and the single times for comparing."""

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import percentile
from bench.runs.record import Record, rounded
from control.api.settings import SettingsError, read_bytes

SOURCE = "geniehive-benchmark-runner"
MAX_REPORT_BYTES = 64 << 20

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked of whom. observed_at: seconds since the epoch. stopped: why it is partial."""

    target: str
    workloads: Sequence[str]
    observed_at: float
    concurrency: int
    repeats: int
    size: int
    stopped: str = ""


def document(run: Run, records: Sequence[Record], skipped: Mapping[str, str]) -> Document:
    """Return the report. skipped: services that were not asked, and why."""
    return {
        "report_id": f"{run.target}-{'+'.join(run.workloads)}",
        "observed_at": run.observed_at,
        "source": SOURCE,
        "target": run.target,
        "concurrency": run.concurrency,
        "repeats": run.repeats,
        "complete": not run.stopped and len(records) == run.size,
        "stopped": run.stopped or None,
        "planned": run.size,
        "failures": dict(sorted(Counter(one.failure for one in records if one.failure).items())),
        "unattributed": sum(not one.service_id for one in records),
        "skipped": dict(skipped),
        "samples": [
            {
                "benchmark_id": None,
                "service_id": service_id,
                "asset_id": asset_id or None,
                "workload": workload,
                "observed_at": run.observed_at,
                "results": results(found),
            }
            for (service_id, asset_id, workload), found in attributed(records).items()
        ],
        "requests": [one.document() for one in records],
    }


def attributed(records: Iterable[Record]) -> dict[tuple[str, str, str], list[Record]]:
    """Return what each asset of each service did at each workload, never what a role did.

    A failure that tells its service but no asset is that of the asset which answered there,
    if only one did.
    """
    known = [one for one in records if one.service_id]
    assets: dict[tuple[str, str], set[str]] = {}
    for one in known:
        if one.asset_id:
            assets.setdefault((one.service_id, one.workload), set()).add(one.asset_id)
    found: dict[tuple[str, str, str], list[Record]] = {}
    for one in known:
        answering = assets.get((one.service_id, one.workload), set())
        asset_id = one.asset_id or (min(answering) if len(answering) == 1 else "")
        found.setdefault((one.service_id, asset_id, one.workload), []).append(one)
    return found


def results(records: Sequence[Record]) -> Document:
    """Return the figures of a sample. Rates are 0 to 1; None: nobody can say."""
    answered = [one for one in records if one.answered]
    gaps = [gap for one in answered for gap in one.gaps_ms]
    latencies = [one.latency_ms for one in answered]
    firsts = _known(one.ttft_ms for one in answered)
    sources = {
        "counted" if one.counted else "usage"
        for one in answered
        if one.completion_tokens is not None
    }
    return {
        "case_count": len({one.case for one in records}),
        "request_count": len(records),
        "pass_rate": _share(sum(one.passed for one in records), len(records)),
        "response_rate": _share(len(answered), len(records)),
        "empty_visible_response_rate": _share(
            sum(one.fault == "empty" for one in answered), len(answered)
        ),
        "p50_latency_ms": _median(latencies),
        "p95_latency_ms": _p95(latencies),
        "ttft_ms": _median(firsts),
        "p95_ttft_ms": _p95(firsts),
        "inter_token_ms": _median(gaps),
        "p95_inter_token_ms": _p95(gaps),
        "tokens_per_sec": _median(_known(one.tokens_per_sec for one in answered)),
        "prompt_tokens": _mean(_known(one.prompt_tokens for one in answered)),
        "completion_tokens": _mean(_known(one.completion_tokens for one in answered)),
        "token_source": "mixed" if len(sources) > 1 else next(iter(sources), None),
    }


def write(path: Path, content: Document) -> None:
    """Write a report.

    Raises:
        OSError: it cannot be written.
    """
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Document:
    """Return the report in a file, ours or an older one.

    Raises:
        SettingsError: it is none.
    """
    content = read_bytes(path, MAX_REPORT_BYTES)
    try:
        found = json.loads(content, parse_constant=_refused, parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise SettingsError([f"{path}: {_why(error)}"]) from error
    if isinstance(found, dict) and isinstance(inner := found.get("benchmark_report"), dict):
        found = inner
    if not isinstance(found, dict) or not isinstance(found.get("samples"), list):
        raise SettingsError([f"{path}: samples: a list is expected"])
    return found


class _NotFinite(ValueError):
    pass


def _refused(word: str) -> float:
    raise _NotFinite(f"{word} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _NotFinite(f"{text[:20]} is too large")
    return value


def _whole(text: str) -> int:
    _finite(text)  # what nobody can reckon with is no figure
    return int(text)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}: {error.msg.lower()}"
    return str(error) if isinstance(error, _NotFinite) else "not JSON"


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _median(values: Sequence[float]) -> float | None:
    return rounded(statistics.median(values)) if values else None


def _p95(values: Sequence[float]) -> float | None:
    return rounded(percentile(sorted(values), 0.95))


def _mean(values: Sequence[float]) -> int | None:
    return round(statistics.fmean(values)) if values else None
