"""The commands that look at settings before a service does."""

import sys
from pathlib import Path

import click

from cli.output import BAD, USAGE, Failure, Output, clean, examples, shared

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@examples("geniehive config check control.yaml", "geniehive config show control.yaml --origin")
@click.group()
def config() -> None:
    """Check settings, and see what holds and why."""


@examples("geniehive config check control.yaml", "geniehive config check roles.yaml --json")
@config.command()
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option(
    "--kind",
    type=click.Choice(["control", "node", "gateway", "roles"]),
    help="Whose settings. [default: what the keys tell]",
)
@shared
def check(output: Output, files: tuple[Path, ...], kind: str | None) -> None:
    """Say everything that is wrong in settings or a catalog of roles."""
    from cli import settings_files

    found = {path: settings_files.check(path, kind) for path in files}
    if output.as_json:
        checked = [
            {
                "file": str(path),
                "kind": one.kind,
                "ok": not one.problems,
                "problems": list(one.problems),
                "warnings": list(one.warnings),
            }
            for path, one in found.items()
        ]
        output.document("config_check", {"files": checked})
    else:
        for path, one in found.items():
            for warning in one.warnings:
                output.say(f"warning: {clean(warning)}")
            told = list(map(clean, one.problems)) or [f"{path}: ok, {one.kind}"]
            output.answer("\n".join([str(path)] if output.quiet else told))
    if any(one.problems for one in found.values()):
        sys.exit(BAD)


@examples("geniehive config show node.yaml --origin", "geniehive config show --kind gateway")
@config.command()
@click.argument("file", required=False, type=FILE)
@click.option(
    "--kind",
    type=click.Choice(["control", "node", "gateway"]),
    help="Whose settings. [default: what the keys tell, else control]",
)
@click.option("--origin", is_flag=True, help="Say of each value where it is from.")
@shared
def show(output: Output, file: Path | None, kind: str | None, origin: bool) -> None:
    """Show the settings that hold: those of FILE, else the defaults. Secrets are not shown."""
    import json
    import os

    from cli import settings_files
    from cli.output import columns
    from cli.table import Row, table
    from control.api.settings import SettingsError

    try:
        kind = kind or (settings_files.recognised(file) if file else "control")
        if kind == settings_files.ROLES:
            message = f"{file}: a catalog has no defaults; it says all that holds"
            raise Failure(message, USAGE, "unknown_kind", fix=f"geniehive config check {file}")
        found = settings_files.show(file, kind, os.environ)
    except SettingsError as error:
        raise Failure(str(error), USAGE, "invalid_config") from error
    if output.as_json:
        settings = [
            {"key": one.key, "value": one.value, "source": one.source, "place": one.place or None}
            for one in found
        ]
        output.document("config", {"kind": kind, "settings": settings})
        return
    if output.quiet:
        output.answer("\n".join(one.key for one in found))
        return
    rows = []
    for place, one in enumerate(found):
        text = one.value if isinstance(one.value, str) and one.value else json.dumps(one.value)
        rows.append(Row((place,), [one.key, text, *([one.origin] if origin else [])]))
    titles = ["KEY", "VALUE", *(["ORIGIN"] if origin else [])]
    output.answer(table(titles, rows, width=columns(sys.stdout)))
