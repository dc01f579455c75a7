"""What a look at a model server shows, and how far its words are trusted."""

import contextlib
import json
from dataclasses import dataclass
from typing import Literal

import msgspec

Health = Literal["healthy", "loading", "unhealthy"]
Operation = Literal["chat", "embeddings", "transcription"]

MAX_ODD_BYTES = 256 << 10  # of a document that only a lenient reader takes
MAX_MODELS = 2_000  # control takes 10,000 of a host; no one server may use them up
MAX_NAME_CHARACTERS = 200
MAX_COUNT = 2**31 - 1  # what an int32 of the contract holds
MAX_CONCURRENCY = 1_000_000  # control refuses more
MAX_WORD_CHARACTERS = 100  # of what describes a model; families and digests seen are shorter
MAX_CAPABILITIES = 16
MAX_BYTES = 2**63 - 1  # what an int64 of the contract holds


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a server lists."""

    asset_id: str
    loaded: bool | None  # None: what was known before stands
    context_tokens: int = 0  # 0 when the server does not tell
    operation: Operation | None = None  # None: what its service is declared for
    family: str = ""
    digest: str = ""
    modality: str = ""
    format: str = ""
    capabilities: tuple[str, ...] = ()  # what the server says that it can do, e.g. `tools`
    size_bytes: int = 0  # of the weights, 0 when the server does not tell


@dataclass(frozen=True, slots=True)
class Histogram:
    """How long something took so far. `counts` grow along the ascending `bounds`, in seconds."""

    bounds: tuple[float, ...]  # the last one may be infinite
    counts: tuple[float, ...]  # of what took at most so long


@dataclass(frozen=True, slots=True)
class Counters:
    """What a server did since it started; a lower value than before tells that it was restarted.

    None where it does not tell.
    """

    generated_tokens: float | None = None
    generation_seconds: float | None = None  # that these took, each answer for itself
    prompt_tokens: float | None = None
    prompt_seconds: float | None = None
    latency: Histogram | None = None  # of whole answers
    first_token: Histogram | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at a server. None is "not told"; what was known before stands."""

    health: Health
    detail: str = ""  # one line on why it is not healthy
    engine: str | None = None
    models: tuple[Model, ...] | None = None
    concurrency: int | None = None
    loads_on_request: bool | None = None  # a model that is not in memory
    in_flight: int | None = None
    queue_depth: int | None = None
    tokens_per_second: float | None = None  # of one answer, where the server itself reckons it
    version: str | None = None
    kv_cache_utilization: float | None = None  # 0 to 1
    vram_used_bytes: int | None = None
    counters: Counters | None = None
    silent: bool = False  # waited for in vain, so that it may only be busy


def document(body: bytes) -> object:
    """Return `body` as JSON, or None when it is not JSON."""
    found: object
    # Half as slow; what it refuses and people write all the same (NaN, half a pair of
    # surrogates) costs a small document its one value, and no more.
    with contextlib.suppress(ValueError, RecursionError):
        found = msgspec.json.decode(body)
        return found
    if len(body) > MAX_ODD_BYTES:
        return None
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(body)
        return found
    return None


def field(value: object, *path: str) -> object:
    """Return what is found at `path` in nested objects, or None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def count(value: object) -> int | None:
    """Return `value` when it can be a number of things: a whole number from 0 to 2**31-1."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT:
        return value
    return None


def slots(value: object) -> int | None:
    """Return `value` when it can be a number of requests served at the same time."""
    found = count(value)
    return None if found is None else min(found, MAX_CONCURRENCY)


def size(value: object) -> int:
    """Return `value` when it can be a number of bytes, else 0."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_BYTES:
        return value
    return 0


def entries(value: object) -> list[object]:
    """Return the first items of a list; none when `value` is none."""
    return value[:MAX_MODELS] if isinstance(value, list) else []


def word(value: object) -> str:
    """Return `value` when it can describe a model in a word, else nothing."""
    found = name(value)
    return found if found is not None and len(found) <= MAX_WORD_CHARACTERS else ""


def words(values: object) -> tuple[str, ...]:
    """Return what can describe a model among `values`, each once, in their order."""
    found = dict.fromkeys(word(value) for value in entries(values)[:MAX_CAPABILITIES])
    return tuple(one for one in found if one)


def name(value: object) -> str | None:
    """Return `value` when it can name a model: printable, 1 to 200 characters, no space around.

    A name is never mended: its server would not know it any more.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_CHARACTERS:
        return None
    return value if value.isprintable() and value == value.strip() else None
