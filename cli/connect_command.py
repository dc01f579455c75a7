"""The command that points a client at a gateway."""

from pathlib import Path

import click

from cli.access import GATEWAY, STATE
from cli.inventory_commands import named
from cli.output import Output, examples, shared

CLIENTS = ("curl", "python", "langchain", "openwebui", "claude", "codex")


@examples("geniehive connect python", "geniehive connect curl --gateway http://127.0.0.1:8800")
@click.command()
@click.argument("name", type=click.Choice(CLIENTS), metavar="CLIENT")
@GATEWAY
@click.option(
    "--model",
    shell_complete=named("models"),
    help="What to ask for. [default: a role, or a model, that answers now]",
)
@STATE
@shared
def connect(
    output: Output, name: str, gateway: str | None, model: str | None, state_dir: Path
) -> None:
    """Show how a client is pointed here, and try it.

    CLIENT is curl, python, langchain or openwebui; what claude and codex speak is not served yet.
    A key, where the gateway asks for one, is taken from GENIEHIVE_API_KEY. Writes no file.
    """
    from cli.connect import connect as run

    run(output, name, gateway, model, state_dir)
