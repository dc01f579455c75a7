"""The command that tells how requests went."""

from pathlib import Path

import click

from cli.access import GATEWAY, STATE
from cli.output import Output, examples, shared


@examples("geniehive request", "geniehive request req_93c1f0d2a1b4e5f60000000000000007")
@click.command()
@click.argument("request_id", required=False)
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="Of a list."
)
@GATEWAY
@STATE
@shared
def request(
    output: Output, request_id: str | None, limit: int, gateway: str | None, state_dir: Path
) -> None:
    """List the last requests, or tell how one went.

    Who was asked, why somebody else was asked next, what it took; no content is kept.
    REQUEST_ID is the x-request-id of an answer, or the one that the client sent. Of requests
    that were made with the same key; it is taken from GENIEHIVE_API_KEY where one is needed.
    """
    from cli import requests

    if request_id is None:
        requests.show_last(output, gateway, limit, state_dir)
    else:
        requests.show(output, gateway, request_id, state_dir)
