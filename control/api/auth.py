"""How a caller of control says who it is: a key of its environment, in one metadata entry."""

import os
import re
import secrets
from collections.abc import Sequence
from typing import Literal

from control.api.settings import SettingsError

Kind = Literal["node", "gateway", "operator"]
Metadata = tuple[tuple[str, str], ...]

# gRPC metadata keys are lower case.
METADATA_KEY: dict[str, str] = {
    "node": "x-geniehive-node-key",
    "gateway": "x-geniehive-gateway-key",
    "operator": "authorization",
}

MAX_KEY_CHARACTERS = 512  # the longest key that the settings of control take
KEY = re.compile(rf"[\x21-\x7e]{{1,{MAX_KEY_CHARACTERS}}}")


def key_from(variable: str) -> str | None:
    """Return the key in the environment variable named, as it stands; None without one.

    Raises:
        SettingsError: metadata could not carry it; the message does not show it.
    """
    key = os.environ.get(variable) or None
    if key is not None and not KEY.fullmatch(key):
        raise SettingsError(
            [
                f"{variable} holds no key: a key is at most {MAX_KEY_CHARACTERS} visible ASCII"
                " characters, without spaces and line ends"
            ]
        )
    return key


def metadata(kind: Kind, key: str | None) -> Metadata:
    """Return the metadata that presents `key`; empty when there is none."""
    if not key:
        return ()
    return ((METADATA_KEY[kind], f"Bearer {key}" if kind == "operator" else key),)


def known(key: str, keys: Sequence[str]) -> bool:
    """Return whether `key` is one of `keys`, in time that does not tell which."""
    presented = key.encode()
    # Every comparison runs, so that the position of a match does not show.
    return sum(secrets.compare_digest(presented, one.encode()) for one in keys) > 0
