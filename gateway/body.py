"""Request bodies: checked whole, read for what routing needs, changed by one splice."""

import re
from types import NoneType
from typing import Annotated, get_type_hints

import msgspec

from control.api.errors import BadRequest, ForbiddenField, InvalidBody, InvalidValue
from gateway.reasoning import has_escapes

MAX_DEPTH = 64
MAX_KEYS = 1_000
# What is judged within 50 ms, however it is written; smaller bodies always are.
MAX_BRACKETS = 100_000
MAX_STRINGS = 100_000
LARGE = 64 << 10  # bytes
MAX_DIGITS = 4_300  # of an integer; Python, and so many an engine, reads no longer one

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_WS = rb"[ \t\r\n]*"
# Possessive: a way back from each of a million escapes would be kept in memory.
_STRING = rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")'
_KEY = re.compile(_WS + _STRING + _WS + b":" + _WS, re.DOTALL)
_NEXT = re.compile(_WS + rb"([,}])")
_MODEL = re.compile(b'"model"' + _WS + b":" + _WS + _STRING, re.DOTALL)

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
# To LM Studio, llama.cpp and LangChain -1 means: as many as fit.
Tokens = Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)]


class InferenceRequest(msgspec.Struct, gc=False):
    """What the gateway reads of a request, and may come to decide by."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    stream: bool | None = None
    n: Positive | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: float | None = None
    top_p: float | None = None


class _Checked(InferenceRequest, gc=False):
    # For their range alone, which is not looked at where the decoder skips: 1e999 is infinite.
    frequency_penalty: float | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    repeat_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: float | None = None
    top_k: float | None = None
    top_logprobs: float | None = None
    # Where a request goes, and with which key, is not for its body to say; an engine that
    # is itself a gateway may obey these (CVE-2024-6587).
    api_base: None = None
    api_key: None = None
    base_url: None = None
    custom_host: None = None
    extra_headers: None = None
    headers: None = None
    proxies: None = None
    proxy: None = None


class Body(msgspec.Struct, frozen=True, gc=False):
    """A checked request body."""

    raw: bytes
    model: str
    start: int  # where the value of the model stands in `raw`, quotes included
    end: int
    stream: bool = False  # whether the answer is wanted as events
    most: int = 0  # tokens that the answer may have, 0 when it does not say

    def with_model(self, encoded: bytes) -> bytes:
        """Return the body with `encoded`, a JSON string, as its model; no other byte changes."""
        return self.raw[: self.start] + encoded + self.raw[self.end :]


_FORBIDDEN = frozenset(name for name, kind in get_type_hints(_Checked).items() if kind is NoneType)
_model_at = _MODEL.match
_request = msgspec.json.Decoder(_Checked).decode
_anything = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


def parse(raw: bytes) -> Body:
    """Return the checked body of an inference request.

    Raises:
        InvalidBody: not one JSON object in UTF-8, nested deeper than `MAX_DEPTH`, beyond
            another limit of this module, or with `model` given twice. Where that word
            stands elsewhere too, or may be spelled with escapes, no key may be given twice.
        InvalidValue: `model` is missing, or a value is of the wrong type.
        ForbiddenField: it says where the request should go.
    """
    # Fewer brackets than levels allowed cannot nest too deep: no need to look closer.
    # To remove them is the fastest way to count what is rare.
    if len(raw) > LARGE or len(raw) - len(raw.replace(b"[", b"").replace(b"{", b"")) > MAX_DEPTH:
        _check_size(raw)
    try:
        # The decoder skips what it does not need without looking at its encoding.
        if not raw.isascii():
            raw.decode()
        request = _request(raw)
        if len(raw) > MAX_DIGITS and _may_have_long_number(raw):
            _anything(raw)
    except msgspec.ValidationError as error:
        raise _refusal(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidBody(f"the body is not valid JSON: {_first_line(error)}") from error
    # The key stands there literally once, and no escape could spell it again: it is the
    # one decoded.
    place = raw.find(b'"model"')
    found = None if has_escapes(raw) else _model_at(raw, place)
    if found is not None and raw.rfind(b'"model"') == place:
        start, end = found.span(1)
    else:
        start, end = _walk_to_model(raw)
    most = request.max_completion_tokens or request.max_tokens or 0
    return Body(raw, request.model, start, end, request.stream is True, max(0, most))


def depth(raw: bytes) -> int:
    """Return how deep `raw` nests, or `MAX_DEPTH + 1` when deeper or unbalanced.

    Runs at the speed of `bytes` methods: a walk in Python over 10 MB of brackets
    would hold the event loop for seconds.

    Raises:
        InvalidBody: more strings, or more objects and lists, than the limits allow.
    """
    bare = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    if bare.count(b'"') > 2 * MAX_STRINGS:
        raise InvalidBody(f"the body has more than {MAX_STRINGS:,} strings")
    # What remains at even places between the quotes is outside of strings.
    outside = b"".join(bare.split(b'"')[::2])
    # Whether each closes its own kind is for the decoder to say.
    brackets = outside.translate(_ONE_KIND, _NOT_BRACKETS)
    if brackets.count(b"[") > MAX_BRACKETS:
        raise InvalidBody(f"the body has more than {MAX_BRACKETS:,} objects and lists")
    level = 0
    while brackets and level <= MAX_DEPTH:
        shorter = brackets.replace(b"[]", b"")  # the innermost level
        if len(shorter) == len(brackets):
            return MAX_DEPTH + 1
        brackets = shorter
        level += 1
    return level


def _check_size(raw: bytes) -> None:
    few = raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH and raw.count(b'"') <= 2 * MAX_STRINGS
    if not few and depth(raw) > MAX_DEPTH:
        raise InvalidBody(f"the body is nested deeper than {MAX_DEPTH} levels")


def _may_have_long_number(raw: bytes) -> bool:
    """Return whether one of more than `MAX_DIGITS` could stand there; or it is in a text."""
    step = MAX_DIGITS // 2  # so long a number fills at least one of these wholly
    return any(raw[at : at + step].isdigit() for at in range(0, len(raw), step))


def _walk_to_model(raw: bytes) -> tuple[int, int]:
    """Return where the value of the top-level `model` stands, by walking the keys.

    The decoder keeps the last of equal keys; if what stands at a key is not what
    was decoded for it, the key was given twice.
    """
    members = _members(raw)
    if len(members) > MAX_KEYS:
        raise InvalidBody(f"the body has more than {MAX_KEYS:,} keys")
    if max(map(len, members)) > LARGE:
        raise InvalidBody("a key of the body is too long")
    seen: set[str] = set()
    place = (0, 0)
    position = raw.index(b"{") + 1
    while (key := _KEY.match(raw, position)) is not None:
        name = _text(key[1])
        value = bytes(members[name])
        after = _NEXT.match(raw, key.end() + len(value))
        if name in seen or after is None or not raw.startswith(value, key.end()):
            raise InvalidBody(f"the key {name[:64]!r} is given twice", param=name[:64])
        seen.add(name)
        if name == "model":
            place = (key.end(), key.end() + len(value))
        position = after.end()
        if after[1] == b"}":
            break
    return place


def _refusal(error: msgspec.ValidationError) -> BadRequest:
    message = str(error)
    if "missing required field `model`" in message:
        return InvalidValue("'model' is missing", param="model")
    field = re.search(r"`\$\.(\w+)`", message)
    if field is None and "out of range" in message:
        return InvalidBody("the body has a number that is out of range")
    if field is None:
        return InvalidBody("the body is not a JSON object")
    name = field[1]
    if name in _FORBIDDEN:
        return ForbiddenField(f"{name!r} is for the operator to set", param=name)
    what = message.split(" - at")[0]
    return InvalidValue(f"{name!r}: {what[:1].lower()}{what[1:]}", param=name)


def _first_line(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return "nested too deep" if isinstance(error, RecursionError) else str(error).splitlines()[0]
