"""What a client is told when every attempt has failed."""

from collections.abc import Sequence
from math import ceil

from control.api.errors import (
    AllBusy,
    GenieHiveError,
    NoHealthyRoute,
    UpstreamTimeout,
)
from gateway.routes import shown


def conclusion(
    errors: Sequence[GenieHiveError], model: str, out_for: float | None, request_id: str
) -> GenieHiveError:
    """Return what to tell the client. errors: of the attempts, at least one, in order.

    out_for: seconds until the first service of `model` is looked at again, None unless all
    are out of rotation.
    """
    busy = [error for error in errors if isinstance(error, AllBusy)]
    if busy:
        return AllBusy(str(busy[-1]), retry_after=min(one.retry_after or 1 for one in busy))
    last = errors[-1]
    if out_for is not None:
        return NoHealthyRoute(
            f"all services of {shown(model)} fail; the last: {last}",
            retry_after=max(ceil(out_for), 1),
            see=see(request_id),
        )
    if len(errors) == 1 and not isinstance(last, UpstreamTimeout):
        return last
    tried = f"tried {len(errors)} services; the last: " if len(errors) > 1 else ""
    return type(last)(f"{tried}{last}", see=see(request_id))


def see(request_id: str) -> str:
    """Return the command that tells how a request went."""
    return f"geniehive request {request_id}"
