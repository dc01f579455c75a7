"""What can go wrong, once: raised by meaning, mapped to gRPC and to HTTP at the edges.

GenieHiveError
├── BadRequest            InvalidBody InvalidValue ConflictingCredentials OperationMismatch …
├── Unauthenticated       InvalidApiKey
├── Forbidden             OperationNotAllowed
├── NotFound              ModelNotFound LeaseLost
├── Conflict              HostIdInUse
├── TooLarge              BodyTooLarge
├── Busy                  AllBusy RateLimited
├── Unavailable           NoHealthyRoute NotReady AuthUnavailable StorageUnavailable …
└── Upstream              UpstreamError UpstreamAuthFailed UpstreamBadResponse UpstreamTimeout
"""

import grpc

REASON_KEY = "geniehive-reason"

S = grpc.StatusCode


class GenieHiveError(Exception):
    """Base of all errors that may cross an edge.

    `code` is the stable word that clients match on: the HTTP error code and the
    `geniehive-reason` trailer. `http` and `grpc` are the statuses at each edge. `see` is the
    command that tells more: only a client is told of it, since who reads a log or runs that
    command has the rest.
    """

    code = "internal_error"
    http = 500
    grpc = S.INTERNAL
    type = "server_error"
    retry_after: int | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after: int | None = None,
        see: str = "",
    ) -> None:
        super().__init__(message)
        self.param = param
        self.see = see
        if retry_after is not None:
            self.retry_after = retry_after


class BadRequest(GenieHiveError):
    code, http, grpc = "invalid_value", 400, S.INVALID_ARGUMENT
    type = "invalid_request_error"


class InvalidBody(BadRequest):
    code = "invalid_body"


class InvalidValue(BadRequest):
    code = "invalid_value"


class ForbiddenField(BadRequest):
    """A request says what only the operator may."""

    code = "forbidden_field"


class ConflictingCredentials(BadRequest):
    code = "conflicting_credentials"


class OperationMismatch(BadRequest):
    code = "operation_mismatch"


class MethodNotAllowed(BadRequest):
    code, http, grpc = "method_not_allowed", 405, S.UNIMPLEMENTED


class RequestTimeout(BadRequest):
    """The request did not come as a whole in time."""

    code, http, grpc = "request_timeout", 408, S.DEADLINE_EXCEEDED


class UriTooLong(BadRequest):
    code, http = "uri_too_long", 414


class UnsupportedMediaType(BadRequest):
    code, http = "unsupported_media_type", 415


class HeadersTooLarge(BadRequest):
    code, http = "headers_too_large", 431


class Unauthenticated(GenieHiveError):
    code, http, grpc = "invalid_api_key", 401, S.UNAUTHENTICATED
    type = "authentication_error"


class InvalidApiKey(Unauthenticated):
    code = "invalid_api_key"


class Forbidden(GenieHiveError):
    code, http, grpc = "operation_not_allowed", 403, S.PERMISSION_DENIED
    type = "permission_error"


class OperationNotAllowed(Forbidden):
    code = "operation_not_allowed"


class NotFound(GenieHiveError):
    code, http, grpc = "not_found", 404, S.NOT_FOUND
    type = "invalid_request_error"


class ModelNotFound(NotFound):
    code = "model_not_found"


class LeaseLost(NotFound):
    """The lease is unknown, replaced or expired; the node must register again."""

    code = "lease_lost"


class Conflict(GenieHiveError):
    code, http, grpc = "conflict", 409, S.ALREADY_EXISTS
    type = "invalid_request_error"


class HostIdInUse(Conflict):
    """Another instance of the host is alive."""

    code = "host_id_in_use"


class TooLarge(BadRequest):
    code, http, grpc = "body_too_large", 413, S.RESOURCE_EXHAUSTED


class BodyTooLarge(TooLarge):
    code = "body_too_large"


class Busy(GenieHiveError):
    code, http, grpc = "all_busy", 429, S.RESOURCE_EXHAUSTED
    type = "rate_limit_error"
    retry_after = 1


class AllBusy(Busy):
    code = "all_busy"


class RateLimited(Busy):
    """The caller asks more often than anybody needs to."""

    code = "rate_limited"


class Unavailable(GenieHiveError):
    """Our side cannot do it now; the same request may work soon."""

    code, http, grpc = "not_ready", 503, S.UNAVAILABLE
    retry_after = 1


class NoHealthyRoute(Unavailable):
    code = "no_healthy_route"


class NotReady(Unavailable):
    code = "not_ready"


class AuthUnavailable(Unavailable):
    """Keys cannot be judged now; nobody is told that theirs is wrong."""

    code = "auth_unavailable"


class StorageUnavailable(Unavailable):
    code = "storage_unavailable"


class PeerTooSlow(Unavailable):
    """The caller does not read what it is told, or does not say what it came to say."""

    code, grpc = "peer_too_slow", S.DEADLINE_EXCEEDED


class ControlUnavailable(Unavailable):
    """Control does not answer. Raised by its clients, never by itself."""

    code = "control_unavailable"


class Upstream(GenieHiveError):
    """An engine did not do its part; the caller did nothing wrong.

    counted: what one and several of it are called. silent: it did not answer at all, so
    that whoever asks it waits.
    """

    code, http, grpc = "upstream_error", 502, S.UNAVAILABLE
    counted = ("failure", "failures")
    silent = False


class UpstreamError(Upstream):
    code = "upstream_error"


class UpstreamAuthFailed(Upstream):
    code = "upstream_auth_failed"


class UpstreamBadResponse(Upstream):
    code = "upstream_bad_response"
    counted = ("unusable answer", "unusable answers")


class UpstreamTimeout(Upstream):
    code, http, grpc = "upstream_timeout", 504, S.DEADLINE_EXCEEDED
    counted = ("timeout", "timeouts")
    silent = True


def family(root: type[GenieHiveError] = GenieHiveError) -> list[type[GenieHiveError]]:
    """Return `root` and every class below it, parents first."""
    return [root, *(child for sub in root.__subclasses__() for child in family(sub))]


# Leaves come last, so that a code shared with a parent names the leaf.
BY_CODE: dict[str, type[GenieHiveError]] = {error.code: error for error in family()}
_BY_STATUS: dict[grpc.StatusCode, type[GenieHiveError]] = {
    S.INVALID_ARGUMENT: BadRequest,
    S.UNAUTHENTICATED: Unauthenticated,
    S.PERMISSION_DENIED: Forbidden,
    S.NOT_FOUND: NotFound,
    S.ALREADY_EXISTS: Conflict,
    S.RESOURCE_EXHAUSTED: Busy,
    S.UNAVAILABLE: ControlUnavailable,
    S.DEADLINE_EXCEEDED: ControlUnavailable,
    S.CANCELLED: ControlUnavailable,  # a control that stops cancels its streams
    # Control gives a reason with all of its own errors; without one it is the transport's.
    S.INTERNAL: ControlUnavailable,
    S.UNKNOWN: ControlUnavailable,
}


def from_status(status: grpc.StatusCode, reason: str | None, message: str) -> GenieHiveError:
    """Return the error that a peer raised, from what arrived of it.

    The reason decides; the status stands in when a peer sent none.
    """
    found = BY_CODE.get(reason or "") or _BY_STATUS.get(status, GenieHiveError)
    return found(message)
