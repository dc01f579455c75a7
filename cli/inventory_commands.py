"""The commands that list what there is; a name shows one in detail."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cli.access import Access, reaches_control
from cli.output import Output, examples, shared

OPERATION = click.option(
    "--operation",
    type=click.Choice(["chat", "embeddings", "transcription"]),
    help="Only what does this.",
)

Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def named(kind: str) -> Completion:
    """Return what completes names of a kind, as they were listed last."""

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
        from cli import names

        given = context.params.get("state_dir") or os.environ.get("GENIEHIVE_STATE_DIR") or "state"
        return names.recall(Path(given), kind, begun)

    return complete


def _name(kind: str) -> Callable[[Any], Any]:
    return click.argument("name", required=False, shell_complete=named(kind))


@examples("geniehive hosts", "geniehive hosts tower")
@click.command()
@_name("hosts")
@click.option(
    "--state", type=click.Choice(["online", "returning", "lost"]), help="Only hosts that are so."
)
@reaches_control
@shared
def hosts(output: Output, name: str | None, state: str | None, access: Access) -> None:
    """List the hosts, or show one with what it serves."""
    from cli import listing

    listing.hosts(output, access, name, state)


@examples("geniehive services --not-routable", "geniehive services tower/ollama")
@click.command()
@_name("services")
@click.option("--host", "host_id", shell_complete=named("hosts"), help="Only those of this host.")
@OPERATION
@click.option(
    "--routable/--not-routable", default=None, help="Only what requests reach, or do not."
)
@reaches_control
@shared
def services(
    output: Output,
    name: str | None,
    host_id: str | None,
    operation: str | None,
    routable: bool | None,
    access: Access,
) -> None:
    """List the model servers, or show one with its models."""
    from cli import listing

    listing.services(output, access, name, host_id, operation, routable)


@examples("geniehive roles", "geniehive roles mentor")
@click.command()
@_name("roles")
@OPERATION
@reaches_control
@shared
def roles(output: Output, name: str | None, operation: str | None, access: Access) -> None:
    """List the roles, or show one and who serves it now."""
    from cli import listing

    listing.roles(output, access, name, operation)


@examples("geniehive models --operation chat", "geniehive models qwen3:14b")
@click.command()
@_name("models")
@OPERATION
@reaches_control
@shared
def models(output: Output, name: str | None, operation: str | None, access: Access) -> None:
    """List what clients can ask for, or show who serves it.

    Roles and models; a service can be asked for by its own name, too: geniehive services.
    """
    from cli import listing

    listing.serving(output, access, name, operation)


COMMANDS = (hosts, services, roles, models)
