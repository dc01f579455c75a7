"""The command `geniehive bench replay`: a trace, simulated or sent to a gateway."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from cli.output import BAD, INTERRUPTED, USAGE, Failure, Output, examples, shared
from control.api.strategies import Strategy

if TYPE_CHECKING:  # imported inside of commands, so that help comes at once
    from collections.abc import Iterable, Mapping

    from bench.replay.arrivals import Pace
    from bench.replay.ours import Ours
    from bench.replay.plot import Curves
    from bench.replay.simulation import Plan, Row
    from bench.replay.trace import Entry

LATE_S = 0.05  # requests that are sent later than this say something of the sender
ALL = "all"
STRATEGIES = [one.value for one in Strategy]
LOADS = (0.5, 0.7, 0.9)
OF_SIMULATIONS = (
    *("fleets", "loads", "strategies", "room", "peers", "seeds"),
    *("gateways", "age", "wrong", "learn_slots"),
)
OF_SENDING = ("model", "rate", "speed", "duration", "scale", "whole_answers", "deadline")


@examples(
    "geniehive bench replay trace.jsonl.gz --fleet A --load 0.7 --peer all   simulated",
    "geniehive bench replay trace.csv --target http://127.0.0.1:8800 --model NAME --rate 2",
)
@click.command()
@click.argument(
    "traces", nargs=-1, required=True, metavar="TRACE...", type=click.Path(path_type=Path)
)
@click.option(
    "--fleet",
    "fleets",
    multiple=True,
    type=click.Choice(["A", "B", "C"]),
    help="Simulated engines: unlike each other, equal, or with several models. [default: A]",
)
@click.option(
    "--load",
    "loads",
    multiple=True,
    type=click.FloatRange(0.01, 10),
    help="Share of what the fleet can do; may be repeated. [default: 0.5 0.7 0.9]",
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    type=click.Choice([*STRATEGIES, ALL]),
    help="Of ours; may be repeated. [default: expected_completion]",
)
@click.option(
    "--room",
    type=click.Choice(["on", "off", "both"]),
    default="on",
    show_default=True,
    help="Whether requests wait for a free slot.",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME",
    help="A published policy, such as herd or llm_d, or all; may be repeated.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Runs of each, with another part of the trace.",
)
@click.option(
    "--count",
    type=click.IntRange(10, 1_000_000),
    help="Requests taken of the trace. [default: 2500 simulated, else all]",
)
@click.option(
    "--gateways",
    type=click.IntRange(1, 100),
    default=2,
    show_default=True,
    help="Simulated gateways, all before the same engines.",
)
@click.option(
    "--age",
    type=click.FloatRange(0, 60),
    default=0.25,
    show_default=True,
    help="Seconds that news of others are old, at most.",
)
@click.option(
    "--wrong",
    metavar="WHAT:FACTOR",
    help="An estimate that is off: prefill, decode, answer, slots, skew.",
)
@click.option("--learn-slots", is_flag=True, help="Nodes do not tell the slots of engines.")
@click.option(
    "--target", metavar="URL", help="A running gateway: sends the trace there, in real time."
)
@click.option("--model", metavar="NAME", help="What to ask the gateway for.")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Requests a second, on the average."
)
@click.option(
    "--speed", type=click.FloatRange(0, min_open=True), help="Times that of the trace. [default: 1]"
)
@click.option(
    "--duration",
    type=click.FloatRange(0, min_open=True),
    help="Seconds after which no more are sent.",
)
@click.option(
    "--scale",
    type=click.FloatRange(0, 100, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the lengths of prompts and answers that are sent.",
)
@click.option(
    "--whole-answers",
    is_flag=True,
    help="Ask engines to write as much as the trace has (ignore_eos).",
)
@click.option(
    "--deadline",
    type=click.FloatRange(0.1, 86_400),
    default=600.0,
    show_default=True,
    help="Seconds that a request may take.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="A picture of the times to the first token, SVG.",
)
@shared
def replay(
    output: Output,
    traces: Sequence[Path],
    fleets: Sequence[str],
    loads: Sequence[float],
    strategies: Sequence[str],
    room: str,
    peers: Sequence[str],
    seeds: int,
    count: int | None,
    gateways: int,
    age: float,
    wrong: str | None,
    learn_slots: bool,
    target: str | None,
    model: str | None,
    rate: float | None,
    speed: float | None,
    duration: float | None,
    scale: float,
    whole_answers: bool,
    deadline: float,
    plot: Path | None,
) -> None:
    """Let the requests of a TRACE come again, as they came, and tell how they fare.

    Without --target time and engines are simulated, and what decides is the gateway's own
    code, or a published policy. A TRACE is CSV or JSONL, as those of Azure and Mooncake, or
    with time, input_tokens, output_tokens and maybe prefix_block_ids; it may be packed (.gz).
    Options from --fleet to --learn-slots, but --count, are for simulations; those from --model
    to --deadline for a gateway. The key of a client is read from GENIEHIVE_API_KEY.
    """
    from bench.replay.arrivals import Pace
    from bench.replay.simulation import COUNT, Plan

    _refuse_misplaced(sent=target is not None)
    if target is None:
        plan = Plan(
            _read(traces),
            list(dict.fromkeys(fleets)) or ["A"],
            list(dict.fromkeys(loads)) or LOADS,
            _ours(strategies, room, wrong, reported=not learn_slots),
            _published(peers),
            count or COUNT,
            seeds,
            gateways,
            age,
        )
        _simulate(plan, plot, output)
        return
    if not model or len(traces) > 1:
        raise click.UsageError("--target needs a --model, and one trace")
    if rate and speed:
        raise click.UsageError("either --rate or --speed")
    pace = Pace(rate or 0.0, 0.0 if rate else speed or 1.0, duration or 0.0, count or 0, scale)
    sys.exit(_send(traces[0], pace, target, model, deadline, plot, output, whole=whole_answers))


def _refuse_misplaced(*, sent: bool) -> None:
    """Refuse options that were given and would do nothing.

    Raises:
        click.UsageError: there is one.
    """
    context = click.get_current_context()
    for name in OF_SIMULATIONS if sent else OF_SENDING:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            (option,) = (one for one in context.command.params if one.name == name)
            where = "is for simulations, without --target" if sent else "needs a --target"
            raise click.UsageError(f"{option.opts[0]} {where}")


def _ours(
    strategies: Sequence[str], room: str, wrong: str | None, *, reported: bool
) -> "dict[str, Ours]":
    """Return how our gateways are set in each run, by name.

    Raises:
        Failure: `wrong` says nothing that is known.
    """
    from bench.replay.ours import Ours
    from bench.replay.wrong import RIGHT, Wrong

    try:
        belief = Wrong.parse(wrong) if wrong else RIGHT
    except ValueError as error:
        raise Failure(f"--wrong: {error}", USAGE, "wrong") from error
    chosen = STRATEGIES if ALL in strategies else strategies or [Strategy.EXPECTED_COMPLETION]
    rooms = {"on": True, "off": False} if room == "both" else {room: room == "on"}
    return {
        f"{name}, room {word}": Ours(Strategy(name), on, belief, reported)
        for name in dict.fromkeys(chosen)
        for word, on in rooms.items()
    }


def _published(peers: Sequence[str]) -> list[str]:
    """Return the names of the policies that are meant.

    Raises:
        Failure: one is not known.
    """
    from bench.replay.published import POLICIES

    if unknown := [name for name in peers if name not in (*POLICIES, ALL)]:
        names = ", ".join((*POLICIES, ALL))
        raise Failure(f"no policy {unknown[0]!r}; there are: {names}", USAGE, "peer")
    return list(POLICIES) if ALL in peers else list(dict.fromkeys(peers))


def _read(paths: "Iterable[Path]") -> "Mapping[str, Sequence[Entry]]":
    from bench.replay import trace

    try:
        return trace.read_all(paths)
    except trace.TraceError as error:
        raise Failure(str(error), USAGE, "trace") from error


def _simulate(plan: "Plan", plot: Path | None, output: Output) -> None:
    from bench.progress import drawn
    from bench.replay import shown
    from bench.replay.simulation import simulate

    found: list[Row] = []
    with drawn(output) as draw:

        def tell(done: int, what: str) -> None:
            draw(lambda passed: shown.simulated(done, plan.size, what, passed), done == plan.size)

        found.extend(simulate(plan, tell))
        tell(plan.size, "done")
    if plot is not None:
        panels: dict[str, dict[str, Sequence[float]]] = {}
        for row in found:
            title = f"{row.trace}, fleet {row.fleet}, load {row.load:g}"
            panels.setdefault(title, {})[row.name] = row.curve
        _draw(plot, panels, output)
    if output.as_json:
        output.document("bench_replay", {"rows": [row.document() for row in found]})
    else:
        output.answer(shown.rows(found))


def _send(
    path: Path,
    pace: "Pace",
    target: str,
    model: str,
    deadline_s: float,
    plot: Path | None,
    output: Output,
    *,
    whole: bool,
) -> int:
    """Send a trace, and return the exit code.

    Raises:
        Failure: the trace cannot be sent, or the gateway not be reached.
    """
    import asyncio

    from bench.replay import session, shown
    from bench.replay.arrivals import arrivals
    from bench.replay.client import seen

    (entries,) = _read([path]).values()
    url, key = _reached(target, output)
    if not (due := arrivals(entries, pace)):
        raise Failure(f"{path}: no request comes in {pace.duration:g} s", USAGE, "trace")
    run, interrupted = asyncio.run(
        session.sent(due, url, key, model, deadline_s, pace.scale, output, whole=whole)
    )
    result = seen(run)
    if result.late_max > LATE_S:
        output.say(shown.late(result))
    if plot is not None:
        _draw(plot, {path.name: {model: result.ttft_curve}}, output)
    if output.as_json:
        output.document("bench_replay", {"replay": result.document()})
    else:
        output.answer(shown.seen(result))
    if interrupted:
        return INTERRUPTED
    return 0 if result.answered else BAD


def _reached(target: str, output: Output) -> tuple[str, str | None]:
    """Return the URL of the gateway, and the key for it, once it has answered.

    Raises:
        Failure: it does not, or lets nobody in with that key.
    """
    from cli.gateway import client, client_key, gateway_url, get

    try:
        url, key = gateway_url(target, Path()), client_key(target, Path())
        with client(url, key) as http:
            get(http, "/v1/models", output.timeout)
    except Failure as error:
        told, fix = (text.replace("--gateway", "--target") for text in (str(error), error.fix))
        raise Failure(told, error.exit_code, error.code, why=error.why, fix=fix) from error
    return url, key


def _draw(path: Path, panels: "Mapping[str, Curves]", output: Output) -> None:
    from bench.replay.plot import draw

    try:
        path.write_text(draw(panels), encoding="utf-8")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Failure(f"{path}: {why}", USAGE, "output") from error
    output.say(f"plot {path}")
