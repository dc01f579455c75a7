"""The `geniehive bench` commands about models: run, ingest, list, compare."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.access import Access, reaches_control
from cli.inventory_commands import named
from cli.output import (
    BAD,
    USAGE,
    Failure,
    Output,
    clean,
    examples,
    shared,
)

if TYPE_CHECKING:  # imported inside of commands, so that help comes at once
    from bench.runs.workload import Workload

REPORT = click.Path(path_type=Path, exists=True, dir_okay=False)


@examples(
    "geniehive bench run chat.concise_support --target mentor",
    "geniehive bench run --all   every service once, with all that fits it",
)
@click.command()
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@click.option(
    "--target",
    metavar="NAME",
    shell_complete=named("models"),
    help="A role, a model or a service.",
)
@click.option("--all", "everybody", is_flag=True, help="Every service, by its own name.")
@click.option(
    "--gateway",
    metavar="URL",
    envvar="GENIEHIVE_GATEWAY",
    show_envvar=True,
    help="Where to ask; default: the geniehive up of the state folder.",
)
@click.option("--concurrency", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option("--repeats", type=click.IntRange(1, 10_000), default=3, show_default=True)
@click.option(
    "--warmup",
    type=click.IntRange(0, 100),
    default=1,
    show_default=True,
    help="Requests that do not count.",
)
@click.option(
    "--deadline",
    type=click.FloatRange(0.1, 3_600),
    default=120.0,
    show_default=True,
    help="Seconds that a request may take.",
)
@click.option("--service-id", default="", help="Who answers, where no header tells it.")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), help="The report.")
@click.option("--html", type=click.Path(path_type=Path), help="A page with pictures, too.")
@click.option(
    "--ingest/--no-ingest",
    default=None,
    help="Hand the results to control. [default: if it can be reached]",
)
@reaches_control
@shared
def run(
    output: Output,
    workloads: Sequence[str],
    target: str | None,
    everybody: bool,
    gateway: str | None,
    concurrency: int,
    repeats: int,
    warmup: int,
    deadline: float,
    service_id: str,
    path: Path | None,
    html: Path | None,
    ingest: bool | None,
    access: Access,
) -> None:
    """Ask a model the cases of WORKLOADs, and take down how right and how fast it answers.

    A WORKLOAD is one of ours by its name or a YAML file. What a role or model was asked counts
    for the service that answered. The key of a client is read from GENIEHIVE_API_KEY.
    """
    from bench.runs.conduct import Keeping, conduct
    from bench.runs.runner import Plan
    from cli.gateway import client_key, gateway_url

    if everybody == bool(target):
        raise click.UsageError("either --target NAME or --all is needed")
    if not everybody and not workloads:
        raise click.UsageError(f"a workload is needed: {', '.join(_own())}, or a YAML file")
    chosen = _workloads(workloads or _own())
    url, key = gateway_url(gateway, access.state), client_key(gateway, access.state)
    plan = Plan(target or "", chosen, concurrency, repeats, warmup, deadline, service_id)
    sys.exit(conduct(plan, url, key, Keeping(path, html, ingest), output, access))


@examples("geniehive bench ingest bench-0502.json", "geniehive bench ingest reports/*.json --json")
@click.command()
@click.argument("files", nargs=-1, required=True, type=REPORT)
@reaches_control
@shared
def ingest(output: Output, files: Sequence[Path], access: Access) -> None:
    """Hand the samples of reports to control; the same report again changes nothing."""
    from bench.runs import kept, shown
    from bench.runs import report as reports
    from cli import cluster
    from control.api.settings import SettingsError

    try:
        read = [(path, kept.samples(reports.read(path), str(path))) for path in files]
    except SettingsError as error:
        raise Failure(str(error), USAGE, "report") from error
    results = []
    with cluster.connected(access) as channel:
        for path, samples in read:
            done = kept.ingest(
                channel, samples, str(path), output.timeout, cluster.operator(access)
            )
            results.append((path, done))
            if not output.as_json and not output.quiet:
                output.answer(f"{path}: {done.created} new, {done.replaced} known before")
            if done.unknown:
                output.say(clean(f"note: {shown.unknown_services(done.unknown)}"))
    if output.as_json:
        output.document(
            "bench_ingest",
            {
                "files": [
                    {
                        "file": str(path),
                        "created_count": done.created,
                        "replaced_count": done.replaced,
                        "benchmark_ids": list(done.ids),
                        "unknown_service_ids": list(done.unknown),
                    }
                    for path, done in results
                ]
            },
        )
    elif output.quiet:
        for _, done in results:
            for one in done.ids:
                output.answer(clean(one))


@examples("geniehive bench list", "geniehive bench list --service tower/ollama --limit 20")
@click.command("list")
@click.option("--service", "service_id", default="", help="Only of this service.")
@click.option("--workload", default="", help="Only of this workload.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@reaches_control
@shared
def list_(output: Output, service_id: str, workload: str, limit: int, access: Access) -> None:
    """Show the results that control keeps, the newest first, and how much each counts now."""
    from datetime import UTC, datetime

    from bench.runs import kept, shown
    from cli import cluster
    from control.api import evidence_documents

    with cluster.connected(access) as channel:
        found = kept.read(
            channel,
            limit,
            output.timeout,
            cluster.operator(access),
            service_id=service_id,
            workload=workload,
        )
    if output.as_json:
        samples = [evidence_documents.benchmark(one) for one in found]
        output.document("bench_list", {"samples": samples})
    elif output.quiet:
        for one in found:
            output.answer(clean(one.benchmark_id))
    else:
        output.answer(shown.kept(found, datetime.now(UTC)) if found else "no results are kept")


@examples("geniehive bench compare old.json new.json --fail-on-worse")
@click.command()
@click.argument("old", type=REPORT)
@click.argument("new", type=REPORT)
@click.option("--fail-on-worse", is_flag=True, help="Exit with 1 when anything got worse.")
@shared
def compare(output: Output, old: Path, new: Path, fail_on_worse: bool) -> None:
    """Tell what changed between two reports, and whether it is more than noise."""
    from bench.runs import comparison, shown
    from bench.runs import report as reports
    from control.api.settings import SettingsError

    try:
        before, after = reports.read(old), reports.read(new)
    except SettingsError as error:
        raise Failure(str(error), USAGE, "report") from error
    try:
        changes = comparison.compare(before, after)
        odd = comparison.only_in_one(before, after)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = "requests or samples are not as bench run writes them"
        raise Failure(f"{old}, {new}: {why}", USAGE, "report") from error
    if not changes:
        fix = "compare runs of the same workload"
        raise Failure("the two reports have nothing in common", USAGE, "report", fix=fix)
    if odd:
        output.say(clean(f"only in one of them, left out: {', '.join(odd)}"))
    worse = [one.figure for one in changes if one.verdict == "worse"]
    if output.as_json:
        content = {"changes": [one.document() for one in changes], "left_out": odd, "worse": worse}
        output.document("bench_comparison", content)
    elif output.quiet:
        for one in worse:
            output.answer(one)
    else:
        output.answer(shown.comparison(changes))
    if worse and fail_on_worse:
        sys.exit(BAD)


def _own() -> list[str]:
    from bench.runs import workload

    return workload.own()


def _workloads(names: Sequence[str]) -> "list[Workload]":
    from bench.runs import workload
    from control.api.settings import SettingsError

    try:
        found = [workload.load(name) for name in dict.fromkeys(names)]
    except SettingsError as error:
        raise Failure(str(error), USAGE, "workload") from error
    ids = [one.workload for one in found]
    if twice := [one for one in ids if ids.count(one) > 1]:
        raise Failure(f"two of the workloads are called {twice[0]!r}", USAGE, "workload")
    return found


COMMANDS = (run, ingest, list_, compare)
