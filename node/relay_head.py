"""What a gateway asks of the relay, `CONNECT <service_id>`, and what it is told."""

import hmac
from http import HTTPStatus

MAX_HEAD_BYTES = 4 << 10
END = b"\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"

_TOKEN = b"proxy-authorization:"


class Refused(Exception):
    """There will be no tunnel. The message says why in a few words that name nobody."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def service_asked_for(head: bytes, token: str) -> str:
    """Return the service that a gateway wants to speak with.

    head: without the empty line at its end. token: that of this node.

    Raises:
        Refused: it is no such question, or the token is another one.
    """
    first, *lines = head.split(b"\r\n")
    match first.split(b" "):
        case [b"CONNECT", target, b"HTTP/1.1"] if target.isascii():
            pass
        case [_, _, b"HTTP/1.1" | b"HTTP/1.0"]:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only CONNECT is answered here")
        case _:
            raise Refused(HTTPStatus.BAD_REQUEST, "this is no HTTP/1.1")
    told = [line for line in lines if line[: len(_TOKEN)].lower() == _TOKEN]
    # Before anything is said of services: strangers learn nothing of them.
    expected = b"Bearer " + token.encode()
    if len(told) != 1 or not hmac.compare_digest(told[0][len(_TOKEN) :].strip(), expected):
        raise Refused(
            HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, "the token is not that of this node"
        )
    return target.decode()


def refusal(error: Refused) -> bytes:
    """Return the answer that says `error`."""
    status, body = error.status, f"{error.reason}\n".encode()
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\n"
    if status is HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        head += "proxy-authenticate: Bearer\r\n"
    head += f"content-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body
