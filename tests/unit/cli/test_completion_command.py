"""What `geniehive completion` prints, in a real shell."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from cli import names

MODELS = ["qwen3:14b", "qwen3:8b", "llama3.2:latest", "small"]
SECONDS = 30.0
# As readline calls it: words end at colons, too.
ASKED = """\
source "$1"
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
COMP_WORDS=("${@:2}")
COMP_CWORD=$(( $# - 2 ))
_geniehive_completion geniehive
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def bash(tmp_path):
    """Return what completes the last of some words, in the way of a shell with our completion."""
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    state, command, script = (tmp_path / name for name in ("state", "geniehive", "completion"))
    state.mkdir()
    (state / names.NAME).write_text(json.dumps({"models": MODELS}))
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m cli "$@"\n')
    command.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GENIEHIVE_STATE_DIR": str(state)}

    def said(*arguments):
        ended = subprocess.run(
            arguments, env=environment, capture_output=True, text=True, timeout=SECONDS, check=True
        )
        assert ended.stderr == ""
        return ended.stdout

    script.write_text(said("geniehive", "completion", "bash"))
    return lambda *words: said(
        *("bash", "--norc", "-c", ASKED, "bash", str(script), "geniehive", *words)
    ).split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["models", "s"], ["small"]),
        (["models", "q"], ["qwen3:14b", "qwen3:8b"]),
        (["models", "qwen3", ":"], ["14b", "8b"]),
        (["models", "qwen3", ":", "1"], ["14b"]),
        (["connect", "curl", "--model", "llama3.2", ":", "l"], ["latest"]),
        (["stat"], ["status"]),
        (["bench", "comp"], ["compare"]),
        (["bench", "run", "--target", "sm"], ["small"]),
    ],
)
def test_bash_completes_names_with_colons_in_them(bash, words, found):
    assert bash(*words) == found
