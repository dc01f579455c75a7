"""Samples of benchmarks: as they are kept, and as they count."""

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from typing import NamedTuple

from control.ranking.quality import outcome
from control.ranking.runs import Run


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run of a workload against a service found.

    asset_id, digest: empty when not told. observed_at: seconds since 1970. results: by
    name, values of JSON.
    """

    benchmark_id: str
    service_id: str
    asset_id: str
    workload: str
    observed_at: float
    results: Mapping[str, object]
    digest: str = ""


class KeptRun(NamedTuple):
    """A sample in memory: what of it can count, about 300 bytes."""

    benchmark_id: str
    service_id: str
    run: Run


def kept_run(sample: Sample) -> KeptRun:
    """Return what can count of a sample."""
    return KeptRun(
        sample.benchmark_id,
        intern(sample.service_id),
        Run(
            intern(sample.asset_id),
            intern(sample.workload),
            sample.observed_at,
            intern(sample.digest),
            outcome(sample.results),
        ),
    )
