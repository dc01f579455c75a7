"""The `geniehive` command. Commands import what they need when they run: help is fast."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bench.__main__ import bench
from cli import (
    completion_command,
    config_commands,
    connect_command,
    drain_commands,
    inventory_commands,
    join_command,
    node_command,
    request_command,
)
from cli.access import STATE, Access, reaches_control
from cli.output import (
    BAD,
    INTERRUPTED,
    USAGE,
    Failure,
    Output,
    clean,
    columns,
    examples,
    shared,
)

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
PORT = click.IntRange(0, 65_535)


@examples(
    "geniehive up       everything here; prints the address", "geniehive status   the cluster"
)
@click.group(context_settings=HELP)
@click.version_option(package_name="geniehive", message="geniehive %(version)s")
def cli() -> None:
    """One OpenAI-compatible address over the model servers of several machines."""


@examples("geniehive up", "geniehive up --lan")
@cli.command()
@click.option(
    "--port",
    type=PORT,
    envvar="GENIEHIVE_PORT",
    show_envvar=True,
    help="Of the gateway; 0: any free one. [default: 8800]",
)
@click.option(
    "--control-port",
    type=PORT,
    envvar="GENIEHIVE_CONTROL_PORT",
    show_envvar=True,
    help="Of control; 0: any free one. [default: 8801]",
)
@click.option("--config", type=click.Path(path_type=Path), help="Settings of control, YAML.")
@click.option(
    "--engine",
    "engines",
    multiple=True,
    metavar="URL",
    help="A model server, instead of looking for some; asked with the key in"
    " GENIEHIVE_ENGINE_KEY, if there is one. May be repeated.",
)
@click.option(
    "--lan",
    is_flag=True,
    help="For other machines, too: makes keys, and shows how a machine joins.",
)
@STATE
@shared
def up(
    output: Output,
    port: int | None,
    control_port: int | None,
    config: Path | None,
    engines: tuple[str, ...],
    lan: bool,
    state_dir: Path,
) -> None:
    """Start control, node and gateway here, until Ctrl-C.

    Model servers of this machine are found by themselves; without any, and without --lan,
    a small demo model is fetched once and served.
    """
    from cli.installed import require_own_names
    from cli.plan import plan
    from cli.up import lan_keys
    from cli.up import up as run

    require_own_names()
    keys, new = lan_keys(state_dir) if lan else (None, False)
    what, warnings = plan(state_dir, port, control_port, config, engines, keys)
    for warning in warnings:
        output.say(f"warning: {warning}")
    run(what, output, show_keys=new)


@examples("geniehive status", "geniehive status --watch")
@cli.command()
@reaches_control
@click.option("--watch", "watched", is_flag=True, help="Show it again each second, until q.")
@click.option("--check", is_flag=True, help="Exit with 1 when something is not healthy.")
@shared
def status(output: Output, access: Access, check: bool, watched: bool) -> None:
    """Show what runs where: what is loaded, how busy, what is wrong."""
    from cli import cluster, screens, status

    if watched and check:
        raise click.UsageError("--watch and --check do not go together")
    with cluster.connected(access) as channel:

        def read() -> cluster.Cluster:
            return cluster.read(channel, output.timeout, cluster.operator(access))

        if watched:
            screens.watch(read, output)
            return
        found = read()
    screens.show(found, output)
    if check and not status.healthy(found):
        sys.exit(BAD)


for _command in (
    bench,
    *inventory_commands.COMMANDS,
    *drain_commands.COMMANDS,
    connect_command.connect,
    join_command.join,
    node_command.node,
    request_command.request,
    config_commands.config,
    completion_command.completion,
):
    cli.add_command(_command)


@examples("geniehive route explain mentor", 'geniehive route match "summarise a report"')
@cli.group()
def route() -> None:
    """See where requests go, and why."""


OPERATION = click.Choice(["chat", "embeddings", "transcription"])


@examples("geniehive route explain mentor", "geniehive route explain qwen3:14b --json")
@route.command()
@click.argument("name", shell_complete=inventory_commands.named("models"))
@click.option(
    "--operation", type=OPERATION, help="What is asked for. [default: what NAME is there for]"
)
@reaches_control
@shared
def explain(output: Output, name: str, operation: str | None, access: Access) -> None:
    """Show who would serve NAME now, a role, a model or a service; and who not, and why."""
    from cli import cluster, explained, routes
    from control.api import route_documents

    with cluster.connected(access) as channel:
        answer = routes.explain(channel, name, operation, output.timeout, cluster.operator(access))
    if output.as_json:
        output.document("route", route_documents.explanation(answer))
    elif output.quiet:
        for one in answer.candidates:
            output.answer(clean(one.candidate.service_id))
    else:
        output.answer(explained.render(answer, closely=output.verbose))


@examples(
    'geniehive route match "summarise a report"',
    "geniehive route match --workload chat.short_reasoning --limit 3",
)
@route.command("match")
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("--workload", "workloads", multiple=True, help="A benchmark that is like it.")
@click.option("--operation", type=OPERATION, help="Only what does this. [default: anything]")
@click.option("--modality", help="Only roles of this one, e.g. text.")
@click.option("--roles-only", is_flag=True, help="Leave out services that are asked directly.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=10, show_default=True)
@reaches_control
@shared
def match(
    output: Output,
    tasks: Sequence[str],
    workloads: Sequence[str],
    operation: str | None,
    modality: str | None,
    limit: int,
    roles_only: bool,
    access: Access,
) -> None:
    """Rank roles and services for a TASK in words, best first."""
    from cli import cluster, matched, routes
    from control.api import route_documents

    request = routes.match_request(
        tasks, workloads, operation, modality, limit, roles_only=roles_only
    )
    with cluster.connected(access) as channel:
        answer = routes.match(channel, request, output.timeout, cluster.operator(access))
    if output.as_json:
        found = route_documents.matches(answer, operation, modality)
        output.document("route_match", found)
    elif output.quiet:
        for one in answer.candidates:
            output.answer(clean(matched.name(one)))
    else:
        output.answer(matched.render(answer, columns(sys.stdout)))


@examples("geniehive admin hosts remove attic", "geniehive-admin hosts remove attic --yes")
@cli.group()
def admin() -> None:
    """Change the cluster."""


@admin.group()
def hosts() -> None:
    """Change what is known of hosts."""


@hosts.command()
@click.argument("host_id", shell_complete=inventory_commands.named("hosts"))
@reaches_control
@shared
def remove(output: Output, host_id: str, access: Access) -> None:
    """Forget a host and all its services; a node that still runs registers it again."""
    from cli import cluster

    output.confirm(
        f"remove {host_id} and all its services?", f"geniehive admin hosts remove {host_id} --yes"
    )
    with cluster.connected(access) as channel:
        cluster.remove_host(channel, host_id, output.timeout, cluster.administrator(access))
    if output.as_json:
        output.document("host_removed", {"host_id": host_id})
    else:
        done = f"{host_id} removed; undo: start its node again (one that runs comes back by itself)"
        output.answer(host_id if output.quiet else done)


def _service(name: str, what: str) -> None:
    """Add the command that runs a service in this process, with the flags of `python -m`."""

    @cli.command(
        name,
        help=f"Run {what}.",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def run(arguments: Sequence[str]) -> None:
        import runpy

        from cli.installed import require_own_names

        require_own_names()
        sys.argv = [f"geniehive {name}", *arguments]
        runpy.run_module(name, run_name="__main__", alter_sys=False)


_service("control", "control: it knows all hosts and decides")
_service("gateway", "the gateway: the address of all models")


def main() -> None:
    """Entry point of `geniehive`."""
    _run(cli, "geniehive")


def admin_main() -> None:
    """Entry point of `geniehive-admin`."""
    _run(admin, "geniehive-admin")


def _run(command: click.Command, name: str) -> None:
    """Run a command; every failure leaves in one form, on stderr."""
    try:
        _require_text(sys.argv)
        command.main(prog_name=name, standalone_mode=False)
    except Failure as failure:
        _leave(failure)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(USAGE)
    except click.UsageError as error:
        message = " ".join(error.format_message().split()).rstrip(".")
        path = error.ctx.command_path if error.ctx else name
        _leave(Failure(message[:1].lower() + message[1:], USAGE, "usage", fix=f"{path} --help"))
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)


def _require_text(arguments: Sequence[str]) -> None:
    """Refuse what neither a message nor a terminal can hold."""
    for one in arguments:
        try:
            one.encode()
        except UnicodeEncodeError as error:
            raise Failure(f"{one!r} is not UTF-8", USAGE, "usage") from error


def _leave(failure: Failure) -> None:
    as_json = "--json" in sys.argv
    click.echo(failure.as_json() if as_json else failure.text(), err=True)
    sys.exit(failure.exit_code)


if __name__ == "__main__":
    main()
