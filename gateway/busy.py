"""Tells in words that all who could serve a request have enough to do."""

import math
from collections.abc import Iterable, Sequence

import msgspec

from control.api.errors import AllBusy
from gateway.route import Choice

MAX_RETRY_S = 3_600.0  # nobody plans a request for longer, whatever is estimated


def busy(choices: Sequence[Choice], waiting: int, retry_s: float) -> AllBusy:
    """Return what a client is told whose request none of `choices` takes now.

    choices: at least one. waiting: requests that wait for them already. retry_s: seconds
    after which it may be worth asking again, any number.
    """
    after = retry_after(retry_s)
    waits = f", {waiting} waiting" if waiting > 0 else ""
    return AllBusy(f"{taken(choices)}{waits}; retry in {after} s", retry_after=after)


def taken(choices: Sequence[Choice]) -> str:
    """Return in words what of `choices` is all in use."""
    upstreams = {one.upstream.service_id: one.upstream for one in choices}.values()
    what = _names(dict.fromkeys(one.asset for one in choices))
    if all(one.concurrency for one in upstreams):
        slots = sum(one.concurrency for one in upstreams)
        return f"{slots} {'slot' if slots == 1 else 'slots'} of {what} busy"
    under_way = sum(one.in_flight for one in upstreams)
    return f"{what}: {under_way} requests under way, as many as may be"


def retry_after(seconds: float) -> int:
    """Return `seconds` as whole ones that a client can be told: from 1 to an hour."""
    return math.ceil(min(max(1.0, seconds), MAX_RETRY_S))  # in this order NaN is 1


def _names(assets: Iterable[bytes]) -> str:
    first, *others = assets
    name: str = msgspec.json.decode(first)
    return f"{name} and others" if others else name
