"""Tells in words that all who could serve a request have enough to do."""

import math
from collections.abc import Iterable, Sequence

import msgspec

from control.api.errors import AllBusy
from gateway.load import Load
from gateway.residency import is_absent
from gateway.route import Choice

MAX_RETRY_S = 3_600.0  # nobody plans a request for longer, whatever is estimated


def busy(choices: Sequence[Choice], waiting: int, retry_s: float) -> AllBusy:
    """Return what a client is told whose request none of `choices` takes now.

    choices: at least one. waiting: requests that wait for them already. retry_s: seconds
    after which it may be worth asking again, any number.
    """
    after = retry_after(retry_s)
    waits = f", {waiting} waiting" if waiting > 0 else ""
    return AllBusy(f"{_taken(choices)}{waits}; retry in {after} s", retry_after=after)


def reason(choices: Sequence[Choice]) -> str:
    """Return in words what a request waits for that may go to any of `choices`, if there is one."""
    if not choices:
        return "nobody serves it now"
    if all(map(is_absent, choices)):
        return f"{_names(choices)} is not in memory yet"
    loads = _loads(choices)
    if free := [one for one in loads if one.ahead < one.capacity.slots]:
        if all(one.reserved for one in free):
            return f"who serves {_names(choices)} is to load another model"
        return f"{_names(choices)} has other prompts to read first"
    return ("all " if sum(one.capacity.slots for one in loads) > 1 else "") + _taken(choices)


def retry_after(seconds: float) -> int:
    """Return `seconds` as whole ones that a client can be told: from 1 to an hour."""
    return math.ceil(min(max(1.0, seconds), MAX_RETRY_S))  # in this order NaN is 1


def _taken(choices: Sequence[Choice]) -> str:
    """Return in words what of `choices` is all in use."""
    loads = _loads(choices)
    if all(one.gated or one.concurrency for one in loads):
        slots = sum(one.capacity.slots for one in loads)
        return f"{slots} {'slot' if slots == 1 else 'slots'} of {_names(choices)} busy"
    under_way = sum(one.in_flight for one in loads)
    return f"{_names(choices)}: {under_way} requests under way, as many as may be"


def _loads(choices: Iterable[Choice]) -> list[Load]:
    return list({one.upstream.service_id: one.upstream for one in choices}.values())


def _names(choices: Iterable[Choice]) -> str:
    first, *others = dict.fromkeys(one.asset for one in choices)
    name: str = msgspec.json.decode(first)
    return f"{name} and others" if others else name
