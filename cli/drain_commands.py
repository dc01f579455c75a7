"""The commands that send a host or a service nothing new, and something again."""

import click

from cli.access import Access, reaches_control
from cli.inventory_commands import named
from cli.output import Output, examples, shared


def _either(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Complete the name of a host or of a service."""
    return [
        name for kind in ("hosts", "services") for name in named(kind)(context, parameter, begun)
    ]


@examples("geniehive drain tower --wait", "geniehive drain tower/ollama")
@click.command()
@click.argument("name", shell_complete=_either)
@click.option("--wait", is_flag=True, help="Return when nothing is in flight there any more.")
@reaches_control
@shared
def drain(output: Output, name: str, wait: bool, access: Access) -> None:
    """Send a host or a service nothing new, until it is undrained.

    What is in flight there ends as it would; whatever restarts, it stays drained.
    """
    from cli import cluster, draining

    with cluster.connected(access) as channel:
        asked = draining.connected(channel, output.timeout, cluster.administrator(access))
        draining.drain(output, asked, name, wait=wait)


@examples("geniehive undrain tower", "geniehive undrain tower/ollama")
@click.command()
@click.argument("name", shell_complete=_either)
@reaches_control
@shared
def undrain(output: Output, name: str, access: Access) -> None:
    """Send a drained host or service something again."""
    from cli import cluster, draining

    with cluster.connected(access) as channel:
        asked = draining.connected(channel, output.timeout, cluster.administrator(access))
        draining.undrain(output, asked, name)


COMMANDS = (drain, undrain)
