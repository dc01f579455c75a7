"""Which samples of benchmarks are taken: the rules, each with its reason. Pure."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isfinite

import msgspec

from control.api.errors import InvalidValue
from control.benchmarks.samples import Sample
from control.ranking.quality import CORRECTNESS, SPEED
from control.text import printable, unprintable

MAX_SAMPLES = 10_000
MAX_NAME = 200
MAX_RESULTS = 16_384  # bytes of a sample, as JSON
EARLIEST = 946_684_800.0  # the year 2000, in seconds since 1970
MAX_AHEAD_S = 300.0  # by which the clock of a runner may be ahead
MILLISECONDS = 1e11  # since 1970; as seconds they are millennia away
_MEASURES = ("_ms", "_tokens", "_count")  # how names of what is counted or measured end

Refusal = tuple[str, str]  # the field, and why it is refused


def admitted(samples: Sequence[Sample], now: float) -> list[Sample]:
    """Return `samples`, each with an id. now: seconds since 1970.

    Raises:
        InvalidValue: names the first sample and field that is refused, and why.
    """
    if not 1 <= len(samples) <= MAX_SAMPLES:
        raise InvalidValue(f"{len(samples)} samples are not 1 to {MAX_SAMPLES:,}", param="samples")
    taken: list[Sample] = []
    places: dict[str, int] = {}
    for place, sample in enumerate(samples):
        refused = next(_refusals(sample, now), None)
        if refused is not None:
            raise refusal(place, *refused)
        one = sample if sample.benchmark_id else replace(sample, benchmark_id=content_id(sample))
        first = places.setdefault(one.benchmark_id, place)
        if first != place:
            why = f"{one.benchmark_id!r} is the id of samples[{first}] already"
            raise refusal(place, "benchmark_id", why)
        taken.append(one)
    return taken


def refusal(place: int, field: str, why: str) -> InvalidValue:
    """Return the error that names a field of a sample. place: from 0 on."""
    path = f"samples[{place}].{field}"
    return InvalidValue(f"{path}: {why}", param=path)


def content_id(sample: Sample) -> str:
    """Return an id made of what a sample says, so that the same again is the same."""
    told = (
        *(sample.service_id, sample.asset_id, sample.workload, sample.observed_at),
        *(sample.digest, sample.results),
    )
    content = msgspec.json.encode(told, order="sorted")
    return f"bench_{hashlib.sha1(content, usedforsecurity=False).hexdigest()[:16]}"


def _refusals(sample: Sample, now: float) -> Iterator[Refusal]:
    names = {
        "benchmark_id": (sample.benchmark_id, True),
        "service_id": (sample.service_id, False),
        "asset_id": (sample.asset_id, True),
        "workload": (sample.workload, False),
        "asset_digest": (sample.digest, True),
    }
    for field, (name, may_be_empty) in names.items():
        if why := _name_refusal(name, may_be_empty=may_be_empty):
            yield field, why
    if why := _time_refusal(sample.observed_at, now):
        yield "observed_time", why
    yield from _results_refusals(sample.results)


def _name_refusal(name: str, *, may_be_empty: bool) -> str | None:
    if not name and not may_be_empty:
        return f"is missing; 1 to {MAX_NAME} characters are expected"
    if len(name) > MAX_NAME:
        return f"{name[:20]!r}… has {len(name):,} characters; at most {MAX_NAME} are expected"
    if (bad := unprintable(name)) is not None:
        return f"holds the control character U+{ord(bad):04X}"
    if name != name.strip():
        return f"{name!r} has space around it"
    return None


def _time_refusal(observed_at: float, now: float) -> str | None:
    if observed_at >= MILLISECONDS:
        return f"{observed_at:.0f} looks like milliseconds; seconds since 1970 expected"
    if observed_at > now + MAX_AHEAD_S:
        return f"is {observed_at - now:.0f} s in the future; at most {MAX_AHEAD_S:.0f} are expected"
    if not observed_at >= EARLIEST:
        return f"{observed_at:.0f} is before the year 2000; seconds since 1970 expected"
    return None


def _results_refusals(results: Mapping[str, object]) -> Iterator[Refusal]:
    for name, value in results.items():
        if why := _result_refusal(name, value):
            yield f"results.{printable(name, MAX_NAME)}", why
    if (size := len(msgspec.json.encode(results))) > MAX_RESULTS:
        yield "results", f"{size:,} bytes are more than {MAX_RESULTS:,}"


def _result_refusal(name: str, value: object) -> str | None:
    if not _is_json(value):
        return "holds a number that is not finite"
    share = name in CORRECTNESS
    if value is None or not (share or name == SPEED or name.endswith(_MEASURES)):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"{_kind(value)} is there; a number is expected, or null"
    if value < 0:
        return f"{value:g} is below 0"
    if share and value > 1:
        return f"{value:g} is not 0 to 1"
    return None


def _is_json(value: object) -> bool:
    """Return whether all numbers in `value` are finite."""
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, Mapping):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    return True


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"
