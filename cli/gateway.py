"""How a command reaches the gateway: where it is, and the key of a client."""

from pathlib import Path

import httpx

from cli import running
from cli.output import USAGE, Failure
from control.api.auth import key_from
from control.api.settings import SettingsError

DEFAULT = "http://127.0.0.1:8800"
KEY = "GENIEHIVE_API_KEY"


def gateway_url(given: str | None, state: Path) -> str:
    """Return where the gateway is: as given, as a running `up` notes it, else the default.

    Raises:
        Failure: what is given is no such address.
    """
    if given is None:
        found = running.read(state)
        given = (found.gateway if found else "") or DEFAULT
    url = given.rstrip("/").removesuffix("/v1").rstrip("/")
    try:
        parts = httpx.URL(url)
        named = parts.scheme in ("http", "https") and bool(parts.host) and url.isprintable()
        usable = named and (parts.port is None or 0 < parts.port < 65_536)
    except httpx.InvalidURL:
        usable = False
    if not usable:
        raise Failure(f"--gateway {given[:100]!r}: write http://HOST:PORT", USAGE, "usage")
    return url


def client_key() -> str | None:
    """Return the key that the environment holds, if any.

    Raises:
        Failure: the environment holds what cannot be a key.
    """
    try:
        return key_from(KEY)
    except SettingsError as error:
        raise Failure(str(error), USAGE, "invalid_key") from error
