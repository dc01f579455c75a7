"""The command that runs the node of this machine, and the one that shows what it would tell."""

import sys
from pathlib import Path

import click

from cli.output import USAGE, Failure, Output, clean, columns, examples, shared

CONFIG = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings of the node, YAML; optional.",
)


@examples("geniehive node --config node.yaml", "geniehive node inventory --config node.yaml")
@click.group(invoke_without_command=True)
@CONFIG
@click.pass_context
def node(context: click.Context, path: Path | None) -> None:
    """Run the node: the agent of this machine."""
    if context.invoked_subcommand is not None:
        context.obj = path
        return
    import runpy

    from cli.installed import require_own_names

    require_own_names()
    sys.argv = ["geniehive node", *(["--config", str(path)] if path else [])]
    runpy.run_module("node", run_name="__main__", alter_sys=False)


@examples("geniehive node inventory --config node.yaml", "geniehive node inventory --json")
@node.command()
@CONFIG
@shared
def inventory(output: Output, path: Path | None) -> None:
    """Show what the node would register: this machine and what serves on it.

    Everything is looked at once; control is not needed.
    """
    import asyncio
    import logging
    from datetime import UTC, datetime

    from cli import detailed
    from cli.weights import weights
    from control.api import cluster_documents
    from control.api.settings import SettingsError, read
    from node.config import Config, out_of_reach
    from node.inventory import look_once
    from node.keys import engine_keys

    try:
        settings, warnings = read(path or click.get_current_context().obj, Config)
        keys = engine_keys(settings)
    except SettingsError as error:
        raise Failure(str(error), USAGE, "settings") from error
    for warning in (*warnings, *out_of_reach(settings)):
        output.say(f"warning: {clean(warning)}")
    # What a node logs of it stands in the answer.
    logging.getLogger("node").addHandler(logging.NullHandler())
    found = asyncio.run(look_once(settings, keys))
    if output.as_json:
        output.document("node_inventory", cluster_documents.host_inventory(found))
    elif output.quiet:
        for one in found.services:
            output.answer(clean(one.service.service_id))
    else:
        width = columns(sys.stdout)
        parts = (detailed.host(found, datetime.now(UTC), width), weights(found.machine, width))
        output.answer("\n".join(filter(None, parts)))
