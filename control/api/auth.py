"""How a caller of control says who it is: one metadata entry."""

import secrets
from collections.abc import Sequence
from typing import Literal

Kind = Literal["node", "gateway", "operator"]

# gRPC metadata keys are lower case.
METADATA_KEY: dict[str, str] = {
    "node": "x-geniehive-node-key",
    "gateway": "x-geniehive-gateway-key",
    "operator": "authorization",
}


def metadata(kind: Kind, key: str | None) -> tuple[tuple[str, str], ...]:
    """Return the metadata that presents `key`; empty when there is none."""
    if not key:
        return ()
    return ((METADATA_KEY[kind], f"Bearer {key}" if kind == "operator" else key),)


def known(key: str, keys: Sequence[str]) -> bool:
    """Return whether `key` is one of `keys`, in time that does not tell which."""
    presented = key.encode()
    # Every comparison runs, so that the position of a match does not show.
    return sum(secrets.compare_digest(presented, one.encode()) for one in keys) > 0
