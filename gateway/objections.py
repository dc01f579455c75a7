"""What speaks against a request as HTTP, whatever it asks for."""

import logging
import re
from http import HTTPMethod

import httptools

from control.api.errors import GenieHiveError, InvalidValue, MethodNotAllowed
from gateway.paths import INFERENCE

log = logging.getLogger(__name__)

# RFC 9110, 7.2: a name or an address, and perhaps a port; no path, and no user.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,}\]|[A-Za-z0-9._~-]+)(?::\d{0,5})?")
_METHOD = re.compile(rb"([A-Z-]{1,20}) /")

Headers = list[tuple[bytes, bytes]]


def check_host(headers: Headers, version: str) -> None:
    """Check that the request names one host. headers: names in lower case.

    Raises:
        InvalidValue: it does not, or what it names is none.
    """
    hosts = [value for name, value in headers if name == b"host"]
    if not hosts and version == "1.0":
        return
    if len(hosts) != 1 or _HOST.fullmatch(hosts[0]) is None:
        raise InvalidValue("the request needs one Host header, of a name and perhaps a port")


def path_of(method: bytes, url: bytes) -> bytes:
    """Return the path of the request target `url`.

    Raises:
        InvalidValue: it has none.
    """
    try:
        path = url if url in INFERENCE else httptools.parse_url(url).path
    except httptools.HttpParserInvalidURLError:
        path = None
    if not path or method == b"CONNECT":
        raise InvalidValue("the request asks for no path")
    return path


def objection(stumble: Exception, data: bytes) -> GenieHiveError:
    """Return what is said to a client whose `data` the parser stumbled over.

    stumble: of the parser; what one of its callbacks raised is its context.
    """
    cause = stumble.__context__
    if isinstance(cause, GenieHiveError):
        return cause
    if cause is not None:
        log.error("a request could not be taken: bug", exc_info=cause)
        return GenieHiveError("the gateway has a bug; the log has more")
    if isinstance(stumble, httptools.HttpParserInvalidMethodError):
        return _not_a_method(data)
    return InvalidValue("the request is not valid HTTP")


def _not_a_method(data: bytes) -> InvalidValue | MethodNotAllowed:
    found = _METHOD.match(data)
    # A good method is that of a request before it.
    if found is None or found[1].decode() in HTTPMethod.__members__:
        return InvalidValue("the request is not valid HTTP")
    return MethodNotAllowed(f"{found[1].decode()} is not a method of HTTP")
