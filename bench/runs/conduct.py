"""One `bench run` from its plan to its last line: asked, written, told, handed over."""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.runs import kept, page, runner, session, shown
from bench.runs import report as reports
from bench.runs.everybody import everybody
from bench.runs.record import Record
from bench.runs.report import Document
from bench.runs.runner import Plan, Progress
from cli import cluster
from cli.access import Access
from cli.output import (
    BAD,
    INTERRUPTED,
    NOT_ALLOWED,
    UNKNOWN,
    UNREACHABLE,
    USAGE,
    Failure,
    Output,
    clean,
)

ALL = "all"  # what a report says of `--all`
# Words of the gateway that end a run in which nobody answered, as exit codes.
REFUSALS = {
    "unreachable": UNREACHABLE,
    "connection_lost": UNREACHABLE,
    "invalid_api_key": NOT_ALLOWED,
    "operation_not_allowed": NOT_ALLOWED,
    "model_not_found": UNKNOWN,
    "operation_mismatch": USAGE,
}


@dataclass(frozen=True, slots=True)
class Keeping:
    """What becomes of a report. ingest: None: handed to control if that can be reached."""

    path: Path | None = None
    html: Path | None = None
    ingest: bool | None = None


def conduct(
    plan: Plan, url: str, key: str | None, keeping: Keeping, output: Output, access: Access
) -> int:
    """Run a plan, or, where it names no target, one like it for each service.

    url, key: of the gateway.

    Returns:
        The exit code: not 0 when the run is partial.

    Raises:
        Failure: it could not begin, nobody answered, or the report could not be kept.
    """
    began = time.time()
    named = Path(time.strftime("bench-%m%d-%H%M%S.json", time.localtime(began)))
    _require_writable(keeping.path or named, keeping.html)
    skipped: dict[str, str] = {}
    plans = [plan]
    if not plan.target:
        plans, skipped = _everybody(plan, output, access)
    done = asyncio.run(session.measure(url, key, plans, output))
    records = [record for one in done for record in one.records]
    stopped = _stopped(plans, done)
    interrupted = any(one.stopped == runner.INTERRUPTED for one in done)
    if not interrupted and not any(record.answered for record in records):
        raise _nobody(records, stopped, url, plan.target or ALL)
    asked = reports.Run(
        target=plan.target or ALL,
        workloads=[one.workload for one in plan.workloads],
        observed_at=round(began, 3),
        concurrency=plan.concurrency,
        repeats=plan.repeats,
        size=sum(one.size for one in plans),
        stopped=stopped,
    )
    report = reports.document(asked, records, skipped)
    path = written(report, keeping, named)
    _tell(report, path, output)
    handed = _ingested(report, path, keeping.ingest, output, access)
    output.say(clean(f"{shown.summary(records, stopped)} | report {path} | {handed}"))
    if unsigned := sum(one.answered and not one.service_id for one in records):
        output.say(shown.unsigned(unsigned))
    if interrupted:
        return INTERRUPTED
    return 0 if report["complete"] else BAD


def _everybody(plan: Plan, output: Output, access: Access) -> tuple[list[Plan], dict[str, str]]:
    """Return a plan for each service that may be asked, and why others are left out."""
    with cluster.connected(access) as channel:
        found = everybody(channel, plan.workloads, output.timeout, cluster.operator(access))
    for name, why in found.skipped.items():
        output.say(clean(f"skipped {name}: {why}"))
    if not found.asked:
        raise Failure("no service can be asked", BAD, "no_service", fix="geniehive status")
    plans = [replace(plan, target=name, workloads=fit) for name, fit in found.asked.items()]
    return plans, found.skipped


def _stopped(plans: Sequence[Plan], done: Sequence[Progress]) -> str:
    """Return why targets were not asked to the end; empty when all were."""
    reasons = [
        one.stopped if len(plans) == 1 else f"{plan.target}: {one.stopped}"
        for plan, one in zip(plans, done, strict=False)  # an interrupt leaves some out
        if one.stopped
    ]
    return "; ".join(reasons)


def _nobody(records: Sequence[Record], stopped: str, url: str, target: str) -> Failure:
    """Return the failure of a run without an answer; its code tells why, as far as we know."""
    word = records[-1].failure if records else "unreachable"
    code = REFUSALS.get(word, BAD)
    if code == UNREACHABLE:
        fix = "run there: geniehive up; another one: --gateway URL"
        return Failure(f"gateway {url} does not answer", code, word, why=stopped, fix=fix)
    fixes = {
        NOT_ALLOWED: "set GENIEHIVE_API_KEY to a key of a client",
        UNKNOWN: "geniehive models; services by their whole id: geniehive services",
    }
    told = {
        "model_not_found": f"no model, role or service {target!r}",
        "operation_mismatch": f"{target!r} does not do what the workload asks for",
    }
    if word in told:
        return Failure(told[word], code, word, fix=fixes.get(code, ""))
    message = f"nobody answered for {target!r}: {word}"
    return Failure(message, code, word, why=stopped, fix=fixes.get(code, ""))


def _require_writable(path: Path, html: Path | None) -> None:
    """Raise the failure of a report that could not be kept, before anything is asked."""
    for one in (path, html):
        if one is not None:
            touched = one if one.exists() else one.parent
            if one.is_dir() or not os.access(touched, os.W_OK):
                raise Failure(f"{one}: cannot be written", USAGE, "output")


def written(report: Document, keeping: Keeping, named: Path) -> Path:
    """Write a report; return where. named: its name where nobody gave one."""
    path = keeping.path or named
    try:
        path = keeping.path or _new(named)
        reports.write(path, report)
        if keeping.html is not None:
            keeping.html.write_text(page.page(report), encoding="utf-8")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Failure(f"{error.filename or path}: {why}", USAGE, "output") from error
    return path


def _new(named: Path) -> Path:
    """Return a file that was not there before: runs may begin in the same second."""
    for number in itertools.count(1):
        path = named if number == 1 else named.with_stem(f"{named.stem}-{number}")
        with contextlib.suppress(FileExistsError):
            path.touch(exist_ok=False)
            break
    return path


def _tell(report: Document, path: Path, output: Output) -> None:
    if output.as_json:
        output.document("bench_report", {**report, "path": str(path)})
    elif output.quiet:
        output.answer(str(path))
    else:
        output.answer(shown.results(report))


def _ingested(
    report: Document, path: Path, wanted: bool | None, output: Output, access: Access
) -> str:
    """Hand a report to control; return what became of that.

    wanted: None: if it can be reached. A partial run is handed over only when that is wanted.

    Raises:
        Failure: it is wanted, and control does not take it.
    """
    if not report["samples"]:
        return "nothing to ingest"
    later = f"geniehive bench ingest {path}"
    if wanted is False or (wanted is None and not report["complete"]):
        return f"not ingested: {later}"
    try:
        with cluster.connected(access) as channel:
            samples = kept.samples(report, str(path))
            kept.ingest(channel, samples, str(path), output.timeout, cluster.operator(access))
    except Failure as failure:
        if wanted:
            raise
        return f"not ingested ({failure}): {later}"
    return f"ingested, re-scored: {', '.join(sorted({one.service_id for one in samples}))}"
