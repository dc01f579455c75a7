"""The command that prints what a shell needs to complete ours."""

import click

from cli.output import examples

VARIABLE = "_GENIEHIVE_COMPLETE"


@examples(
    'eval "$(geniehive completion bash)"    in ~/.bashrc; zsh alike in ~/.zshrc',
    "geniehive completion fish | source     in ~/.config/fish/config.fish",
)
@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options and names.

    Names are those of the last list: `geniehive hosts`, `services`, `roles`, `models`.
    """
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None, shell
    click.echo(made(context.find_root().command, {}, "geniehive", VARIABLE).source())
