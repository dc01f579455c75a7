"""What a worker tells its siblings fits, and comes back as it was."""

from collections import Counter

import msgspec

from control.api.errors import BY_CODE
from control.api.latency import BUCKETS
from gateway.meter import Increment
from gateway.retold import MAX_BYTES
from gateway.slots import HALF
from gateway.snapshot import FRESH_SECONDS, Now, Snapshot, Speed
from gateway.totals import MAX_SERVICES, MAX_TOKENS, Totals
from gateway.waited import Refusal, Waited

LARGE = 2**53


def largest() -> Snapshot:
    """Return what a worker has to tell at most, with as many connections as it has by default."""
    totals = Totals()
    buckets = dict.fromkeys(range(BUCKETS), LARGE)
    for number in range(MAX_SERVICES + 1):
        name = f"{'h' * 60}/{number:0120}"
        errors = dict.fromkeys(BY_CODE, LARGE)
        totals.count(Increment(name, "m", LARGE, LARGE, errors, LARGE, LARGE, LARGE, 1e9,
                               buckets, buckets), now=1.5)  # fmt: skip
        totals.eject(name, 1.5)
    busy = {f"{'h' * 60}/{number:0120}": 1 for number in range(4_096)}
    names = [*totals.services]
    speeds = [Speed(name, "m" * 200, 1e9, 1e9, LARGE) for name in names]
    slots = dict.fromkeys(names, LARGE)
    now = Now(at=1.0, in_flight=busy, ejected=names, speeds=speeds, slots=slots)
    waited = Waited(Counter(buckets), Counter(dict.fromkeys(map(str, Refusal), LARGE)))
    requests = [msgspec.Raw(msgspec.msgpack.encode(b"x" * (MAX_BYTES - 10)))]
    refused = Counter(dict.fromkeys(BY_CODE, LARGE))
    return Snapshot(now, totals, refused, LARGE, LARGE, waited, requests)


def test_it_comes_back_as_it_was_and_fits_into_a_slot():
    snapshot = largest()
    written = snapshot.written()

    assert Snapshot.read(written) == snapshot
    assert isinstance(Snapshot.read(written).refused, Counter)
    assert len(written) < HALF - 8
    assert len(largest().requests[0]) <= MAX_BYTES


def test_an_engine_that_lies_of_its_tokens_keeps_nobody_from_telling():
    totals = Totals()
    for _ in range(3):
        totals.count(Increment("h/a", "m", 1, 0, {}, 2**63, 2**63, 2**63), now=1.5)
    told = Snapshot.read(Snapshot(Now(at=1.0), totals).written())

    assert told.totals.services["h/a"].prompt_tokens == MAX_TOKENS


def test_what_was_told_long_ago_is_not_so_any_more():
    assert Now(at=1.0).fresh(1.0)
    assert not Now(at=1.0).fresh(1.1 + FRESH_SECONDS)
