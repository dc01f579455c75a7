"""How a command reaches control, or the gateway: the options that say where, and who is trusted."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

Command = Callable[..., None]

STATE = click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("state"),
    envvar="GENIEHIVE_STATE_DIR",
    show_default=True,
    show_envvar=True,
    help="Folder of everything that is kept.",
)

GATEWAY = click.option(
    "--gateway",
    metavar="URL",
    envvar="GENIEHIVE_GATEWAY",
    show_envvar=True,
    help="Where the gateway is; default: the geniehive up of the state folder.",
)


@dataclass(frozen=True, slots=True)
class Access:
    """Where control is and how it is trusted, as a command was told."""

    address: str | None  # None: where the `up` of the state folder is
    state: Path
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def tls(self) -> bool:
        """Whether TLS is spoken."""
        return self.ca is not None or self.certificate is not None


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        from control.api.ports import parse_address  # with psutil, which help has no use for

        try:
            parse_address(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from error
    return value


def pem(
    flag: str, variable: str, what: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return an option that takes a file for TLS, by `flag` or by a variable."""
    return click.option(
        flag,
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE",
        envvar=variable,
        show_envvar=True,
        help=what,
    )


def reaches_control(command: Command) -> Command:
    """Give a command the options that reach control, as one argument `access`."""

    @click.option(
        "--control",
        metavar="HOST:PORT",
        callback=_address,
        envvar="GENIEHIVE_CONTROL",
        show_envvar=True,
        help="Where control is; default: the geniehive up of the state folder.",
    )
    @pem("--ca", "GENIEHIVE_CA", "Speak TLS, and trust these authorities (PEM).")
    @pem("--certificate", "GENIEHIVE_CERTIFICATE", "Speak TLS, with this certificate of ours.")
    @pem("--key", "GENIEHIVE_KEY_FILE", "The key of that certificate.")
    @STATE
    @functools.wraps(command)
    def wrapped(
        *arguments: object,
        control: str | None,
        state_dir: Path,
        ca: Path | None,
        certificate: Path | None,
        key: Path | None,
        **given: object,
    ) -> None:
        if (certificate is None) != (key is None):
            raise click.UsageError("--certificate and --key come together")
        command(*arguments, access=Access(control, state_dir, ca, certificate, key), **given)

    return wrapped
