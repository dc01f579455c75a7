"""The command that prints what a shell needs to complete ours."""

import click

from cli.output import examples

VARIABLE = "_GENIEHIVE_COMPLETE"
# Bash takes a colon for the end of a word, and names of models have some: what click has for
# bash knows nothing of `qwen3:`.
BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' words=() word begun='' line
    for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if (( ${#words[@]} )) && [[ $word == :* || ${words[-1]} == *: ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    if [[ $COMP_WORDBREAKS == *:* && $word != "${words[-1]}" ]]; then
        begun=${words[-1]%%"${words[-1]##*:}"}
    fi
    COMPREPLY=()
    while read -r line; do
        case $line in
            plain,*) line=${line#plain,}; COMPREPLY+=("${line#"$begun"}") ;;
            file,*) compopt -o default ;;
            dir,*) compopt -o dirnames ;;
        esac
    done < <(env COMP_WORDS="${words[*]}" COMP_CWORD=$(( ${#words[@]} - 1 )) \\
        %(complete_var)s=bash_complete "$1")
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@examples(
    'eval "$(geniehive completion bash)"    in ~/.bashrc; zsh alike in ~/.zshrc',
    "geniehive completion fish | source     in ~/.config/fish/config.fish",
)
@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options and names.

    Names are those of the last list: `geniehive hosts`, `services`, `roles`, `models`.
    """
    from click.shell_completion import BashComplete, get_completion_class

    class Bash(BashComplete):
        source_template = BASH

    made = Bash if shell == "bash" else get_completion_class(shell)
    assert made is not None, shell
    click.echo(made(context.find_root().command, {}, "geniehive", VARIABLE).source())
