"""Whether an answer passes: pure, and never for an answer that nobody can see."""

import json
import math
import re
from collections.abc import Sequence
from operator import mul

from bench.runs.workload import Expect

# Of an answer a pattern is tried on no more than this: a bad one takes time that grows fast.
MATCHED_CHARACTERS = 4_000

Vectors = Sequence[Sequence[float]]


def text_fault(text: str, expect: Expect) -> str:
    """Return why the visible `text` of an answer does not pass; empty when it does."""
    if not _is_visible(text):
        return "empty"
    folded = text.casefold()
    if expect.contains_any and not any(one.casefold() in folded for one in expect.contains_any):
        return "contains_any"
    if not all(one.casefold() in folded for one in expect.contains_all):
        return "contains_all"
    if expect.matches is not None and not re.search(expect.matches, text[:MATCHED_CHARACTERS]):
        return "matches"
    if expect.min_characters is not None and len(text.strip()) < expect.min_characters:
        return "min_characters"
    if expect.is_json and not _is_json(text):
        return "is_json"
    return ""


def vectors_fault(vectors: Vectors, expect: Expect) -> str:
    """Return why `vectors`, one for each input, do not pass; empty when they do."""
    if not vectors or not all(any(vector) for vector in vectors):
        return "empty"
    if not all(math.isfinite(number) for vector in vectors for number in vector):
        return "not_finite"
    if len({len(vector) for vector in vectors}) != 1:
        return "dimensions_differ"
    if expect.dimensions_at_least is not None and len(vectors[0]) < expect.dimensions_at_least:
        return "dimensions_at_least"
    if (nearest := expect.nearest_to_first) is not None:
        first, *_ = units = [_unit(vector) for vector in vectors]
        likeness = [math.fsum(map(mul, first, unit)) for unit in units]
        others = [value for number, value in enumerate(likeness) if number not in (0, nearest)]
        # Numbers may be so large that nothing can be said of them, which is not to pass.
        if not all(likeness[nearest] > value for value in others):
            return "nearest_to_first"
    return ""


def _is_visible(text: str) -> bool:
    # Some characters are no spaces, and have no shape either: zero-width ones, for instance.
    return any(one.isprintable() and not one.isspace() for one in text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return False
    return True


def _no_json(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity are Python's own


def _unit(vector: Sequence[float]) -> Sequence[float]:
    """Return a vector of the same direction and the length 1: what nothing overflows with."""
    length = math.hypot(*vector)
    return [number / length for number in vector]
