"""Whether the packages we import are ours: some of their names are others' too."""

from collections.abc import Callable
from importlib import metadata

from cli.output import USAGE, Failure

NAMES = ("bench", "cli", "control", "gateway", "node")


def require_own_names(
    installed: Callable[[str], metadata.Distribution] = metadata.distribution,
) -> None:
    """Find out before anything breaks whether another distribution writes into our folders.

    Raises:
        Failure: one with the name of one of our packages is installed here.
    """
    for name in NAMES:
        try:
            installed(name)
        except metadata.PackageNotFoundError:
            continue
        message = (
            f"the distribution {name!r} is installed beside ours and overwrites our package"
            f" {name!r}; fix: pip uninstall {name}, then install geniehive again, or give it an"
            " environment of its own: uvx geniehive"
        )
        raise Failure(message, USAGE, "foreign_package")
