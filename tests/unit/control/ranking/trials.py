"""Runs of benchmarks, and services that were tried by them."""

from collections import defaultdict
from dataclasses import replace

from control.ranking.benchmarks import NO_FINDINGS
from control.ranking.presets import SEED
from control.ranking.quality import outcome
from control.ranking.runs import Run, collapsed, findings

GOOD = {"quality_score": 0.9, "tokens_per_sec": 30, "ttft_ms": 900}


def run(workload="chat.short_reasoning", results=GOOD, observed_at=0.0, **of):
    asked = {"asset_id": "", "digest": ""} | of
    return Run(**asked, workload=workload, observed_at=observed_at, outcome=outcome(results))


def found(asset, *runs, scoring=SEED, now=0.0):
    """Return what runs say of an asset: those of it, and those of any."""
    by_workload = defaultdict(list)
    for one in runs:
        if one.asset_id in ("", asset.asset_id):
            by_workload[one.workload].append(one)
    each = {
        workload: collapsed(those, asset.digest, scoring.benchmark)
        for workload, those in by_workload.items()
    }
    return findings(each, scoring, now)


def tried(subject, *runs, scoring=SEED, now=0.0):
    """Return a service that was tried so."""
    assets = subject.service.assets
    each = {one.asset_id: found(one, *runs, scoring=scoring, now=now) for one in assets}
    said = {asset_id: one for asset_id, one in each.items() if one != NO_FINDINGS}
    return replace(subject, findings=said, now=now)
