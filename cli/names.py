"""The names that were listed last, for completion: it must not wait for control."""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

NAME = "names.json"
MOST = 2_000  # names of a kind
LONGEST = 200  # characters of a name
MAX_BYTES = 4 << 20
# What no shell does anything with, and what is no option.
SAFE = re.compile(r"[\w@+:./][\w@+:./,=%-]*")


def remember(state: Path, **listed: Iterable[str]) -> None:
    """Keep the names of one or several kinds, as `hosts=[...]`, instead of those before.

    Only where the state folder is there: a question leaves no folder behind. Only we may read it.
    """
    if not state.is_dir():
        return
    kept = _read(state) | {kind: _usable(names) for kind, names in listed.items()}
    # Completion is a comfort: what cannot be kept is no reason to fail.
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=state, prefix=f"{NAME}.")
        with os.fdopen(descriptor, "w") as file:
            json.dump(kept, file)
        os.replace(name, state / NAME)


def recall(state: Path, kind: str, begun: str) -> list[str]:
    """Return the names of a kind that begin so."""
    return [name for name in _read(state).get(kind, ()) if name.startswith(begun)]


def _read(state: Path) -> dict[str, list[str]]:
    path = state / NAME
    try:
        if not path.is_file():
            return {}  # a pipe would have us wait
        with path.open("rb") as file:
            kept = json.loads(file.read(MAX_BYTES))
        return {str(kind): _usable(map(str, names)) for kind, names in kept.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}


def _usable(names: Iterable[str]) -> list[str]:
    """Return the names that a shell can be given: a node may have called a model anything."""
    found = dict.fromkeys(name for name in names if len(name) <= LONGEST and SAFE.fullmatch(name))
    return list(found)[:MOST]
