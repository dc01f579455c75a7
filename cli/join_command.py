"""The command that adds this machine to a cluster."""

from pathlib import Path

import click

from cli.access import STATE, pem
from cli.output import Output, examples, shared


@examples(
    "GENIEHIVE_NODE_KEY=... geniehive join 192.168.1.20:8801",
    "geniehive join laptop.lan --key-file node.key --host-id tower-2",
)
@click.command()
@click.argument("address", metavar="HOST[:PORT]")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="File with the node key, instead of the variable GENIEHIVE_NODE_KEY.",
)
@click.option("--host-id", metavar="NAME", help="[default: the machine's own name]")
@pem("--ca", "GENIEHIVE_CA", "Speak TLS, and trust these authorities (PEM).")
@pem("--certificate", "GENIEHIVE_CERTIFICATE", "Speak TLS, with this certificate of ours.")
@pem("--key", "GENIEHIVE_KEY_FILE", "The key of that certificate.")
@STATE
@shared
def join(
    output: Output,
    address: str,
    key_file: Path | None,
    host_id: str | None,
    ca: Path | None,
    certificate: Path | None,
    key: Path | None,
    state_dir: Path,
) -> None:
    """Lend this machine's model servers to the cluster of HOST.

    Until Ctrl-C. They may stay on loopback: gateways reach them through the node that runs
    here meanwhile.
    HOST runs geniehive up --lan, which prints the key; the default port is 8801.
    """
    from cli.installed import require_own_names
    from cli.join import Joining, control_of, node_key
    from cli.join import join as run

    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key come together")
    require_own_names()
    what = Joining(
        control=control_of(address),
        folder=(state_dir / "join").resolve(),
        node_key=node_key(key_file),
        host_id=host_id,
        ca=ca,
        certificate=certificate,
        key=key,
    )
    run(what, output)
