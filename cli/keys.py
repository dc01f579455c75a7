"""The keys that `geniehive up --lan` makes once, and that commands on its machine present."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cli import running
from cli.output import USAGE, Failure
from control.api.auth import KEY
from control.api.secret_files import read_secret

NAME = "keys.json"
PREFIX = "gh_"
RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """One key for each kind of caller."""

    client: str = field(repr=False)
    node: str = field(repr=False)
    gateway: str = field(repr=False)
    operator: str = field(repr=False)
    admin: str = field(repr=False)


def ensure(state: Path) -> tuple[Keys, bool]:
    """Return the keys in the folder, and whether they were made just now.

    Raises:
        Failure: they cannot be read, or not be written.
    """
    if (found := kept(state)) is not None:
        return found, False
    made = Keys(*(PREFIX + secrets.token_urlsafe(RANDOM_BYTES) for _ in range(5)))
    path = state / NAME
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whole or not at all, and never for others to read, not even for a moment.
        unfinished = path.with_suffix(f".{secrets.token_hex(4)}")
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(asdict(made), file, indent=2)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise _unusable(path, "written", error) from error
    return made, True


def kept(state: Path) -> Keys | None:
    """Return the keys in the folder; None without any.

    Raises:
        Failure: they cannot be read, or everybody can read them.
    """
    path = state / NAME
    try:
        found = Keys(**json.loads(read_secret(path)))
        if not all(KEY.fullmatch(key) for key in asdict(found).values()):
            raise ValueError("no keys")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, "read", error) from error
    except (ValueError, TypeError, RecursionError) as error:
        message = f"{path} holds no keys of geniehive up --lan"
        raise Failure(message, USAGE, "invalid_key", fix=f"rm {path}: new ones are made") from error
    return found


def presented(state: Path) -> Keys | None:
    """Return the keys that the running `up` of the folder asks for; None if it asks for none.

    Raises:
        Failure: they cannot be read.
    """
    found = running.read(state)
    return kept(state) if found is not None and found.keyed else None


def _unusable(path: Path, what: str, error: OSError) -> Failure:
    why = (error.strerror or str(error)).lower()
    return Failure(f"{path} cannot be {what}: {why}", USAGE, "state_unusable")
