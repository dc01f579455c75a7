"""Asks the gateway how requests went."""

import sys
import time
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import httpx
import msgspec

from cli import gateway, story
from cli.output import BAD, UNKNOWN, Failure, Output, columns
from cli.story import Request

T = TypeVar("T")


def show(output: Output, address: str | None, request_id: str, state: Path) -> None:
    """Print how one request went.

    address: of the gateway, as it was given.

    Raises:
        Failure: the gateway does not tell.
    """
    found = _asked(output, address, state, f"/v1/requests/{quote(request_id, safe='')}")
    told = _read(found, Request)
    if output.as_json:
        output.document("request", {"request": found})
    elif output.quiet:
        output.answer(told.id)
    else:
        output.answer(story.render(told, time.time(), closely=output.verbose))


def show_last(output: Output, address: str | None, limit: int, state: Path) -> None:
    """Print the last requests, newest first. Raises as `show`."""
    found = gateway.field(_asked(output, address, state, f"/v1/requests?limit={limit}"), "data")
    told = _read(found, list[Request])
    if output.as_json:
        output.document("requests", {"requests": found})
    elif not output.quiet:
        output.answer(story.table_of(told, time.time(), columns(sys.stdout)))
    elif told:
        output.answer("\n".join(one.id for one in told))


def _asked(output: Output, address: str | None, state: Path, path: str) -> object:
    url = gateway.gateway_url(address, state)
    with gateway.client(url, gateway.client_key(address, state)) as http:
        answer = gateway.get(http, path, output.timeout)
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise Failure(gateway.said(answer), UNKNOWN, "not_found", fix="geniehive request")
    if answer.status_code != httpx.codes.OK:
        message = f"gateway {url} does not tell: {answer.status_code} {gateway.said(answer)}"
        raise Failure(message, BAD, "not_told")
    return gateway.content(answer)


def _read(found: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise Failure(
            f"the gateway tells what is not known here: {error}", BAD, "not_told"
        ) from error
