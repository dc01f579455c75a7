"""What every command shares: its options, its two streams, and how it fails."""

import functools
import inspect
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TextIO, TypeVar

import click

Command = TypeVar("Command", bound=click.Command)

BAD, USAGE, UNREACHABLE, NOT_ALLOWED, UNKNOWN, INTERRUPTED = 1, 2, 3, 4, 5, 130

SECONDS = 3.0  # how long a question to control may take


def runnable(text: str) -> str:
    """Return `text` with commands after a colon or a bar as they can be typed here.

    It may not be in PATH, as after `make run`.
    """
    if shutil.which("geniehive"):
        return text
    command = Path(sys.argv[0])
    if command.name not in ("geniehive", "geniehive-admin"):
        return text
    path = command.with_name("geniehive")
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return re.sub(r"(?<=[:|] )geniehive (?=[a-z-])", f"{shown} ", text)


class Failure(Exception):
    """A command that cannot do what was asked.

    why, fix: the likely cause and what to type, where they are known.
    """

    def __init__(
        self, message: str, exit_code: int, code: str, *, why: str = "", fix: str = ""
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.code = code
        self.why = why
        self.fix = fix

    def text(self) -> str:
        """Return the lines for people."""
        lines = [f"error: {clean(line)}" for line in str(self).splitlines()]
        lines += [f"why: {clean(self.why)}"] if self.why else []
        lines += [f"fix: {self.fix}"] if self.fix else []
        return runnable("\n".join(lines))

    def as_json(self) -> str:
        """Return the one object for programs."""
        error = {"code": self.code, "message": str(self), "hint": self.fix, "request_id": None}
        return json.dumps({"error": error})


@dataclass(frozen=True, slots=True)
class Output:
    """The options that every command has."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: Literal["auto", "always", "never"] = "auto"
    timeout: float = SECONDS
    yes: bool = False

    def answer(self, text: str) -> None:
        """Print what was asked for.

        Raises:
            Failure: it cannot be written. BrokenPipeError: nobody reads it any more.
        """
        try:
            click.echo(text, color=self.colorful(sys.stdout))
        except BrokenPipeError:
            raise
        except OSError as error:
            # What is left of it goes nowhere; Python would complain once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            why = (error.strerror or str(error)).lower()
            raise Failure(f"the answer cannot be written: {why}", BAD, "output") from error

    def document(self, schema: str, content: Mapping[str, object]) -> None:
        """Print the answer for programs: one object that names its schema."""
        made = {"schema": f"geniehive.{schema}/1", **content}
        # What is JSON already, such as a request policy, comes as its bytes.
        self.answer(json.dumps(made, default=lambda raw: json.loads(bytes(raw))))

    def say(self, text: str) -> None:
        """Print progress or a hint."""
        if not self.quiet and not self.as_json:
            click.echo(text, err=True, color=self.colorful(sys.stderr))

    def colorful(self, stream: TextIO) -> bool:
        """Return whether `stream` gets colour."""
        if self.color == "auto":
            if os.environ.get("CLICOLOR_FORCE", "0") != "0":
                return True
            return interactive(stream) and "NO_COLOR" not in os.environ
        return self.color == "always"

    def confirm(self, question: str, again: str) -> None:
        """Ask before a loss.

        again: the command that does it without asking.

        Raises:
            Failure: nobody can answer; click.Abort: the answer is no.
        """
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise Failure(f"{question} needs an answer", USAGE, "not_confirmed", fix=again)
        click.confirm(question, abort=True, err=True)


def interactive(stream: TextIO) -> bool:
    """Return whether `stream` is a terminal that can redraw a line."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def columns(stream: TextIO) -> int | None:
    """Return how many cells a line of `stream` holds; None where lines have no end."""
    return shutil.get_terminal_size().columns if interactive(stream) else None


def clean(text: str) -> str:
    """Return `text` without what a terminal would obey: what others named is never trusted."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def examples(*lines: str) -> Callable[[Command], Command]:
    """Let the help of a command open with examples."""

    def opened(command: Command) -> Command:
        command.short_help = command.get_short_help_str(limit=100)
        # A backspace alone on a line keeps click from wrapping the paragraph.
        command.help = "\n".join(["\b", *lines, "", inspect.cleandoc(command.help or "")])
        return command

    return opened


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared options, as one `Output` before its own arguments."""

    @click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object.")
    @click.option("-q", "--quiet", is_flag=True, help="Only ids, no progress.")
    @click.option("-v", "--verbose", is_flag=True, help="More detail.")
    @click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto")
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True, max=3600),
        default=SECONDS,
        metavar="SECONDS",
        help="How long control, or the gateway, may take to answer.",
    )
    @click.option("--yes", is_flag=True, help="Do not ask before a loss.")
    @functools.wraps(command)
    def wrapped(**given: object) -> None:
        output = Output(**{one.name: given.pop(one.name) for one in fields(Output)})  # type: ignore[arg-type]  # click has checked the types
        command(output, **given)

    return wrapped
