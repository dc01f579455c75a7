"""The `geniehive bench` commands: how models do, and how fast gateways and control are."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.replay.command import replay
from bench.runs.commands import COMMANDS
from cli.output import BAD, UNREACHABLE, USAGE, Failure, Output, examples, shared

if TYPE_CHECKING:  # imported inside of commands, so that help comes at once
    from bench.fleet_figures import Figures
    from bench.role_figures import RoleFigures
    from bench.view_figures import ViewFigures

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
CHAT_PATH = "/v1/chat/completions"
ANYWHERE = (*COMMANDS, replay)  # the others need Linux


@examples(
    "geniehive bench run chat.concise_support --target mentor",
    "geniehive bench peers --quick   gateways side by side",
)
@click.group(context_settings=HELP)
@click.pass_context
def bench(context: click.Context) -> None:
    """Measure how models answer, and how fast gateways are."""
    _allow_connections()
    if context.invoked_subcommand in {one.name for one in ANYWHERE}:
        return
    if sys.platform != "linux":
        what = f"bench {context.invoked_subcommand}"
        raise Failure(f"{what} needs Linux: it lives on epoll and /proc", USAGE, "not_linux")


def _allow_connections() -> None:
    """Allow as many as may be: each is a file, of which many systems allow 1,024 unasked."""
    try:
        import resource
    except ImportError:
        return  # it is Windows, which has no such bound
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):  # macOS has a bound of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


for _command in ANYWHERE:
    bench.add_command(_command)


@examples("geniehive bench upstream --port 9000", "geniehive bench upstream --gap-ms 20")
@bench.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="0: any free one.")
@click.option("--models", type=click.IntRange(1, 100_000), default=1, help="How many it lists.")
@click.option("--events", type=click.IntRange(1), default=64, help="Tokens of a stream.")
@click.option("--gap-ms", type=click.FloatRange(0, 60_000), default=5.0, help="Between tokens.")
@shared
def upstream(output: Output, port: int, models: int, events: int, gap_ms: float) -> None:
    """Run a fake engine that is fast enough not to be the bottleneck, until Ctrl-C.

    It answers chats whole or as a stream, as the request says, always with the same text.
    A stream has one event more than tokens: its usage.
    """
    import os
    import signal
    import socket

    from bench.answers import answers
    from bench.polling import be_punctual
    from bench.upstream import BACKLOG, Pace, Upstream

    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopped.append(received))
    be_punctual()
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise Failure(f"cannot listen on port {port}: {why}", USAGE, "port") from error
    with listener:
        output.answer(f"listening on 127.0.0.1:{listener.getsockname()[1]}")
        pace = Pace(events, int(gap_ms * 1_000_000))
        Upstream(listener, answers(models, pace.events), pace, lambda: bool(stopped)).serve()


@examples(
    "geniehive bench load http://127.0.0.1:8800 --model NAME --connections 64",
    "geniehive bench load http://127.0.0.1:8800 --model NAME --stream --rate 50 --pid 4711",
)
@bench.command()
@click.argument("url")
@click.option("--model", default="bench-0000", show_default=True, help="What to ask for.")
@click.option("--key", envvar="GENIEHIVE_API_KEY", show_envvar=True, help="Client key.")
@click.option("--stream", is_flag=True, help="Ask for streams.")
@click.option("--connections", type=click.IntRange(1, 10_000), default=1, show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="Requests a second, whatever becomes of them; latency counts from when each was to"
    " go. Without it each connection sends when it is answered.",
)
@click.option("--seconds", type=click.FloatRange(0.1, 3_600), default=5.0, show_default=True)
@click.option("--warmup", type=click.FloatRange(0, 600), default=0.5, show_default=True)
@click.option("--body-bytes", type=click.IntRange(0, 1_000_000), default=900, show_default=True)
@click.option("--events", type=click.IntRange(1), help="How many a stream must bring.")
@click.option("--pid", type=int, help="Process under test: its CPU and memory are told, too.")
@shared
def load(
    output: Output,
    url: str,
    model: str,
    key: str | None,
    stream: bool,
    connections: int,
    rate: float | None,
    seconds: float,
    warmup: float,
    body_bytes: int,
    events: int | None,
    pid: int | None,
) -> None:
    """Send chats to URL and tell how long they took, from the first to the slowest.

    Exits with 1 when all were answered with errors.
    """
    from urllib.parse import urlsplit

    from bench import chat, processes
    from bench.load import Plan, Unreachable, run
    from bench.outcome import outcome
    from bench.polling import be_punctual

    address = urlsplit(url)
    if address.scheme != "http" or not address.hostname:
        raise Failure(f"{url!r} is not http://HOST:PORT", USAGE, "url")
    content = chat.body(model, body_bytes, stream=stream)
    request = chat.post(address.netloc, address.path.rstrip("/") or CHAT_PATH, content, key)
    host, port = address.hostname, address.port or 80
    plan = Plan(host, port, request, connections, seconds, warmup, rate, events)
    if pid is not None and not processes.lives(pid):
        raise Failure(f"no process has the id {pid}", USAGE, "pid")
    pids = processes.family(pid) if pid is not None else []
    be_punctual()
    try:
        record = run(plan, lambda: processes.usage(pids))
    except Unreachable as error:
        raise Failure(f"{url} cannot be reached: {error}", UNREACHABLE, "unreachable") from error
    result = outcome(record, measured=bool(pids))
    if output.as_json:
        output.document("bench_load", result.document())
    else:
        width = max(len(what) for what, _ in result.rows())
        output.answer("\n".join(f"{what:<{width}}  {value}" for what, value in result.rows()))
    if result.errors and not result.answered:
        sys.exit(BAD)


@examples("geniehive bench peers --quick", "geniehive bench peers --only nginx --rounds 3")
@bench.command()
@click.option("--only", multiple=True, metavar="NAME", help="Of the targets; may be repeated.")
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option("--limit", type=click.FloatRange(10), default=720.0, help="Seconds for all rounds.")
@click.option("--quick", is_flag=True, help="One short round of the nearest; less than a minute.")
@click.option(
    "--fleet",
    "fleets",
    type=click.IntRange(1, 50_000),
    multiple=True,
    metavar="NODES",
    help="Measure control, too, with so many nodes; may be repeated.",
)
@click.option(
    "--roles",
    type=click.IntRange(1, 10_000),
    metavar="ROLES",
    help="Measure what so many roles over 1,000 nodes cost, and some that are choosy.",
)
@click.option(
    "--views",
    type=click.IntRange(1, 10_000),
    metavar="NODES",
    help="Measure what it costs to list so many nodes.",
)
@click.option("--publish", is_flag=True, help="Write docs/performance.* too.")
@shared
def peers(
    output: Output,
    only: tuple[str, ...],
    rounds: int,
    limit: float,
    quick: bool,
    fleets: tuple[int, ...],
    roles: int | None,
    views: int | None,
    publish: bool,
) -> None:
    """Compare gateways in front of the same fake engine, each alone on its core.

    What is not installed is fetched from your package index into build/bench, by hash.
    """
    import signal

    from bench import page as pages
    from bench import tables, targets
    from bench.compare import compare as run
    from bench.compare import with_fleet, with_roles, with_views

    chosen = only or (targets.QUICK if quick else [one.name for one in targets.TARGETS])
    unknown = set(chosen) - {one.name for one in targets.TARGETS}
    if unknown:
        names = ", ".join(repr(one.name) for one in targets.TARGETS)
        raise Failure(f"no target {sorted(unknown)[0]!r}; there are: {names}", USAGE, "target")
    # Whoever ends us must not leave frozen programs behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    picked = [one for one in targets.TARGETS if one.name in chosen]
    results = run(picked, 1 if quick else rounds, limit, output.say, quick=quick)
    for nodes in fleets:
        results = with_fleet(results, nodes, output.say)
    if roles is not None:
        results = with_roles(results, roles, output.say)
    if views is not None:
        results = with_views(results, views, output.say)
    kept = pages.keep(results)
    output.say(f"figures: {kept}")
    if publish:
        pages.publish(results)
    if output.as_json:
        output.document("bench_peers", results.document())
    else:
        output.answer(tables.render(results))


@examples("geniehive bench page", "geniehive bench page build/bench/compare-2026-11-20-1902.json")
@bench.command()
@click.argument("figures", type=click.Path(path_type=Path, exists=True), required=False)
@shared
def page(output: Output, figures: Path | None) -> None:
    """Write docs/performance.* again, from other figures or from its own."""
    from bench import page as pages
    from bench import results

    pages.publish(results.read(figures or pages.DOCS / pages.FIGURES))
    output.say(f"written: {pages.DOCS / pages.PAGE}")


@examples("geniehive bench roles --nodes 1000 --roles 100", "geniehive bench roles --mixed")
@bench.command()
@click.option("--nodes", type=click.IntRange(1, 10_000), default=1_000, show_default=True)
@click.option("--roles", "count", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--mixed", is_flag=True, help="Choosy roles, hosts and models that differ.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=8.0, help="Of requests.")
@shared
def roles(output: Output, nodes: int, count: int, mixed: bool, seconds: float) -> None:
    """Measure what roles over simulated nodes cost control, a gateway and its requests."""
    import asyncio

    from bench.fleet_control import FleetFailed
    from bench.role_figures import RolePlan
    from bench.role_fleet import measure

    try:
        figures = asyncio.run(measure(RolePlan(nodes, count, mixed, seconds=seconds)))
    except FleetFailed as error:
        raise Failure(str(error), BAD, "roles") from error
    _tell(output, "bench_roles", figures)


@examples("geniehive bench views --nodes 1000", "geniehive bench views --junk 0 --json")
@bench.command()
@click.option("--nodes", type=click.IntRange(1, 10_000), default=1_000, show_default=True)
@click.option("--roles", "count", type=click.IntRange(1, 1_000), default=20, show_default=True)
@click.option("--seconds", type=click.FloatRange(1, 600), default=10.0, help="Of requests.")
@click.option("--junk", type=click.IntRange(0, 100_000), default=10_000, show_default=True)
@shared
def views(output: Output, nodes: int, count: int, seconds: float, junk: int) -> None:
    """Measure what it costs to list models and services of simulated nodes.

    Also what names that nobody serves do to the metrics.
    """
    import asyncio

    from bench.fleet_control import FleetFailed
    from bench.view_figures import ViewPlan
    from bench.view_fleet import measure

    try:
        figures = asyncio.run(measure(ViewPlan(nodes, count, seconds, junk=junk)))
    except FleetFailed as error:
        raise Failure(str(error), BAD, "views") from error
    _tell(output, "bench_views", figures)


@examples("geniehive bench fleet --nodes 1000", "geniehive bench fleet --nodes 5000 --json")
@bench.command()
@click.option("--nodes", type=click.IntRange(1, 50_000), default=1_000, show_default=True)
@click.option("--services", type=click.IntRange(1, 1_000), default=1, help="Of each node.")
@click.option("--seconds", type=click.FloatRange(0.1, 3_600), default=15.0, show_default=True)
@click.option("--changes", type=click.IntRange(1), default=300, show_default=True)
@click.option("--interval", type=click.FloatRange(0.1, 300), default=5.0, help="Between beats.")
@click.option("--beats", type=click.IntRange(1), default=500, help="A second, of all, at most.")
@click.option("--per-channel", type=click.IntRange(1), default=1, help="Nodes a connection.")
@click.option("--processes", type=click.IntRange(1, 64), default=1, help="That nodes live in.")
@shared
def fleet(
    output: Output,
    nodes: int,
    services: int,
    seconds: float,
    changes: int,
    interval: float,
    beats: int,
    per_channel: int,
    processes: int,
) -> None:
    """Measure a control with a fleet of simulated nodes: beats, changes, and its SIGKILL."""
    import asyncio

    from bench.fleet import measure
    from bench.fleet_control import FleetFailed
    from bench.fleet_figures import Plan

    plan = Plan(nodes, services, seconds, changes, interval, beats, per_channel, processes)
    try:
        figures = asyncio.run(measure(plan))
    except FleetFailed as error:
        raise Failure(str(error), BAD, "fleet") from error
    _tell(output, "bench_fleet", figures)


def _tell(output: Output, kind: str, figures: "Figures | RoleFigures | ViewFigures") -> None:
    """Answer with `figures`: as a document of this kind, or a line each."""
    if output.as_json:
        output.document(kind, figures.document())
        return
    rows = figures.rows()
    width = max(len(what) for what, _ in rows)
    output.answer("\n".join(f"{what:<{width}}  {value}" for what, value in rows))


if __name__ == "__main__":
    import runpy

    sys.argv.insert(1, "bench")
    runpy.run_module("cli", run_name="__main__")
