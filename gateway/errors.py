"""Errors as clients of the OpenAI API read them."""

import msgspec

from control.api.errors import GenieHiveError

_encode = msgspec.json.Encoder().encode


def body(error: GenieHiveError) -> bytes:
    """Return the JSON body that tells `error`."""
    return _encode(
        {
            "error": {
                "message": f"{error}; {error.see}" if error.see else str(error),
                "type": error.type,
                "code": error.code,
                "param": error.param,
            }
        }
    )


def event(error: GenieHiveError) -> bytes:
    """Return the event that ends a stream of chat completions which cannot go on."""
    return b"data: %b\n\n" % body(error)


def headers(error: GenieHiveError) -> dict[str, str]:
    """Return the headers that belong to `error`, names in lower case."""
    found = {}
    if error.retry_after is not None:
        found["retry-after"] = str(error.retry_after)
    if error.http == 401:
        found["www-authenticate"] = "Bearer"  # RFC 9110, 11.6.1
    return found


def request_id(value: bytes) -> bytes:
    """Return the header line that names a request."""
    return b"x-request-id: " + value + b"\r\n"


def head(error: GenieHiveError) -> bytes:
    """Return the header lines that belong to `error` and its body."""
    lines = {"content-type": "application/json", **headers(error)}
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in lines.items())
