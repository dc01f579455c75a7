"""The head of an inference request."""

import re
from collections.abc import Mapping

import httptools
from geniehive.v1 import inventory_pb2 as inventory

from control.api.errors import ConflictingCredentials, GenieHiveError, UnsupportedMediaType
from control.api.priorities import Priority
from gateway import keys, patience, priority, trace_context
from gateway.memo import Memo, Seen
from gateway.paths import INFERENCE
from gateway.routes import Operation

_CLIENT_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

Headers = list[tuple[bytes, bytes]]


class RequestHead:
    """The head of an inference request, as far as the gateway acts on it.

    objection: what speaks against the request, whoever sends it. may_hide: whether an
    answer to it may hold reasoning. trace_context: of the client. seconds: that the client
    gives its request, None when it does not say. priority: that it asks for, if any.
    """

    __slots__ = (
        "client_id",
        "credential",
        "may_hide",
        "objection",
        "operation",
        "path",
        "priority",
        "seconds",
        "trace_context",
    )

    def __init__(self, operation: Operation, path: bytes, headers: Headers) -> None:
        """headers: names in lower case."""
        found = dict(headers)
        client_id = found.get(b"x-request-id", b"")
        self.operation = operation
        self.may_hide = operation == inventory.OPERATION_CHAT
        self.path = path
        self.trace_context = trace_context.read(found)
        self.client_id = client_id if _CLIENT_ID.fullmatch(client_id) else None
        self.credential: keys.Credential | None = None
        self.seconds: float | None = None
        self.priority: Priority | None = None
        self.objection: GenieHiveError | None = None
        try:
            self.credential = keys.presented(headers)
            check_content(found)
            self.seconds = patience.asked(headers)
            self.priority = priority.asked(headers)
        except GenieHiveError as error:
            self.objection = error.with_traceback(None)  # or it would keep us in a circle

    def principal(self, ring: keys.KeyRing) -> str:
        """Return who sends the request.

        Raises:
            GenieHiveError: it is refused, whatever its body is.
        """
        objection = self.objection
        if objection is None:
            return ring.principal(self.credential)
        if not isinstance(objection, ConflictingCredentials):
            ring.principal(self.credential)  # who may not enter is told that first
        raise objection


def body_length(headers: Headers) -> int | None:
    """Return the length of the body, None when the head does not tell."""
    found = dict(headers).get(b"content-length")
    return None if found is None else int(found)


def check_content(headers: Mapping[bytes, bytes]) -> None:
    """Check that a body is said to be plain JSON. headers: names in lower case.

    Raises:
        UnsupportedMediaType: it is not.
    """
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType("encoded bodies are not accepted; send plain JSON")
    content_type = headers.get(b"content-type", b"")
    if content_type != b"application/json" and not _is_json(content_type):
        raise UnsupportedMediaType("Content-Type must be application/json, in UTF-8")


def _is_json(content_type: bytes) -> bool:
    kind, _, parameters = content_type.lower().partition(b";")
    charset = parameters.partition(b"charset=")[2].split(b";")[0].strip(b' "')
    return kind.strip() == b"application/json" and charset in (b"", b"utf-8", b"utf8")


def _known_request(raw: bytes) -> RequestHead | None:
    seen = Seen()
    parser = httptools.HttpRequestParser(seen)
    if not seen.is_plain(parser, raw) or parser.get_method() != b"POST":
        return None
    operation = INFERENCE.get(seen.url)
    names = {name for name, _ in seen.headers}
    if operation is None or b"expect" in names or b"upgrade" in names:
        return None
    head = RequestHead(operation, seen.url, seen.headers)
    return head if head.objection is None else None


def request_memo() -> Memo[RequestHead]:
    """Return a memo of heads of inference requests that nothing speaks against."""
    return Memo(_known_request)
