"""How a command reaches the gateway: where it is, the key of a client, and what it answers."""

import re
from pathlib import Path

import httpx

from cli import keys, running
from cli.output import NOT_ALLOWED, UNREACHABLE, USAGE, Failure
from control.api.auth import key_from
from control.api.settings import SettingsError

DEFAULT = "http://127.0.0.1:8800"
KEY = "GENIEHIVE_API_KEY"
MAX_SAID = 300  # characters of what a gateway says


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


def client_key(given: str | None, state: Path) -> str | None:
    """Return the key to present: of the environment, else that of the `up --lan` of the folder.

    given: where the gateway is, as `gateway_url` takes it; only None is that `up`.

    Raises:
        Failure: the environment holds what cannot be a key, or the folder what cannot be read.
    """
    try:
        key = key_from(KEY)
    except SettingsError as error:
        raise Failure(str(error), USAGE, "invalid_key") from error
    if key is None and given is None and (own := keys.presented(state)) is not None:
        return own.client
    return key


def client(url: str, key: str | None) -> httpx.Client:
    """Return a client of the gateway at `url`, which presents `key`."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    # A proxy in the environment is meant for the internet, not for the cluster.
    return httpx.Client(base_url=url, headers=headers, trust_env=False)


def get(http: httpx.Client, path: str, timeout: float) -> httpx.Response:
    """Return what the gateway answers. timeout: seconds.

    Raises:
        Failure: it does not answer, or lets nobody in with our key.
    """
    url = str(http.base_url).rstrip("/")
    try:
        answer = http.get(path, timeout=timeout)
    except httpx.HTTPError as error:
        raise Failure(
            f"gateway {url} does not answer",
            UNREACHABLE,
            "gateway_unavailable",
            why=why(error),
            fix="run there: geniehive up; another one: --gateway URL",
        ) from error
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise Failure(
            f"gateway {url} refused: {said(answer)}",
            NOT_ALLOWED,
            "invalid_api_key",
            fix=f"set {KEY} to a key of auth.client_api_keys of control",
        )
    return answer


def why(error: httpx.HTTPError) -> str:
    """Return why there is no answer, in words."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    told = re.sub(r"\[errno -?\d+\] ", "", str(error).lower())
    return told[:MAX_SAID] or type(error).__name__


def said(answer: httpx.Response) -> str:
    """Return the message of an error."""
    message = field(field(content(answer), "error"), "message")
    return str(message or answer.reason_phrase or "no reason given")[:MAX_SAID]


def content(answer: httpx.Response) -> object:
    """Return the JSON of an answer; None if it is none."""
    try:
        found: object = answer.json()
    except ValueError:
        return None
    return found


def field(document: object, name: str) -> object:
    """Return a field of JSON; None where there is none."""
    return document.get(name) if isinstance(document, dict) else None
