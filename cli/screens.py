"""The status of the cluster in the form that was asked for: once, or watched."""

import sys
from collections.abc import Callable
from datetime import datetime

from cli import status
from cli.cluster import Cluster
from cli.output import Output, clean, columns, interactive
from cli.watch import View, Watch


def now() -> datetime:
    """Return the local time, aware."""
    return datetime.now().astimezone()


def show(found: Cluster, output: Output) -> None:
    """Print the cluster once, worst first."""
    if output.as_json:
        output.document("status", status.document(found))
    elif output.quiet:
        for one in found.services:
            output.answer(clean(one.service.service_id))
    else:
        output.answer(_text(found, now(), output, fixed=False))


def watch(read: Callable[[], Cluster], output: Output) -> None:
    """Show the cluster until it is no longer wanted.

    On a terminal in place; else, and for programs, whenever it is another one.

    Raises:
        grpc.RpcError: the first look; control did not answer, or refused.
    """
    watching = Watch(read, now)
    if interactive(sys.stdout) and not (output.as_json or output.quiet):
        watching.in_place(lambda view: _text(view.cluster, view.at, output, fixed=True))
    else:
        watching.as_blocks(lambda view: _write(view, output))


def _write(view: View, output: Output) -> None:
    if output.as_json:
        stale = {
            "read_time": view.at.isoformat(),
            "stale_s": round(view.staleness(now()), 1) if view.problem else None,
            "problem": view.problem or None,
        }
        output.document("status", {**status.document(view.cluster), **stale})
    elif view.problem:
        output.answer(view.caption(now()))
    elif output.quiet:
        show(view.cluster, output)
    else:
        text = _text(view.cluster, view.at, output, fixed=True)
        output.answer(f"{text}\n{view.caption(now())}")


def _text(found: Cluster, at: datetime, output: Output, *, fixed: bool) -> str:
    return status.render(
        found,
        at,
        color=output.colorful(sys.stdout),
        assets=output.verbose,
        width=columns(sys.stdout),
        fixed=fixed,
    )
