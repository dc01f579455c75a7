"""How long an engine worked on an answer, as it tells in the answer itself."""

from typing import Annotated

import msgspec

TIMINGS_KEY = b'"timings"'

# Above, somebody's clock or counter went wrong.
_Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
_Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class Timings(msgspec.Struct, frozen=True, gc=False):
    """What an engine measured of one request.

    prompt_tokens: that it read in `prompt_s` seconds, those that it had in its cache left out.
    answer_tokens: that it wrote in `answer_s` seconds. cached_tokens: of the prompt.
    """

    prompt_tokens: int
    prompt_s: float
    answer_tokens: int
    answer_s: float
    cached_tokens: int


class _Told(msgspec.Struct, gc=False):
    # Source: llama.cpp, tools/server, `result_timings`.
    prompt_n: _Count
    prompt_ms: _Milliseconds
    predicted_n: _Count
    predicted_ms: _Milliseconds
    cache_n: _Count = 0  # not told by old versions


class _Answer(msgspec.Struct, gc=False):
    timings: _Told | None = None


_answer = msgspec.json.Decoder(_Answer).decode


def of_answer(content: bytes) -> Timings | None:
    """Return what the JSON document `content` tells, None when that is nothing to believe."""
    if content.find(TIMINGS_KEY) < 0:  # nearly always
        return None
    try:
        told = _answer(content).timings
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if told is None:
        return None
    return Timings(
        told.prompt_n,
        told.prompt_ms / 1_000,
        told.predicted_n,
        told.predicted_ms / 1_000,
        told.cache_n,
    )
