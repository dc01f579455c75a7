"""How long one service may take for one operation, and how long its client waits."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf

from control.api.errors import InvalidValue
from gateway.config import Patience, Timeouts

HEADER = b"x-request-timeout"


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds, as `Timeouts` describes them; `total` is of one attempt here."""

    connect: float
    first_byte: float
    first_event: float
    idle: float
    total: float


def waits(timeouts: Timeouts, operation: str, service_id: str) -> Waits:
    """Return what applies: what is told of the service, else of the operation, else of all."""
    of_service = next(
        (told for pattern, told in timeouts.services.items() if fnmatchcase(service_id, pattern)),
        Patience(),
    )
    of_operation = timeouts.of_operation(operation)

    def first(name: str) -> float:
        told = (getattr(one, name) for one in (of_service, of_operation, timeouts))
        seconds: float = next(one for one in told if one is not None)
        return seconds

    return Waits(*map(first, Waits.__slots__))


def total(timeouts: Timeouts, operation: str) -> float:
    """Return how long a request for `operation` may take, with all its attempts."""
    told = timeouts.of_operation(operation).total
    return timeouts.total if told is None else told


def asked(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Return how many seconds the client gives its request; None when it does not say.

    headers: names in lower case.

    Raises:
        InvalidValue: it says what is no time, or two different ones.
    """
    told = {value for name, value in headers if name == HEADER}
    if not told:
        return None
    try:
        (value,) = told
        seconds = float(value) if value.isascii() and b"_" not in value else 0.0
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < inf:
        raise InvalidValue(
            "X-Request-Timeout must be one number of seconds, more than 0, e.g. 30",
            param="X-Request-Timeout",
        )
    return seconds
