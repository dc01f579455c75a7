"""Request bodies: checked whole, read for what routing needs, changed by one splice."""

import re
from typing import Annotated, NamedTuple

import msgspec

from control.api.errors import InvalidBody, InvalidValue
from gateway.reasoning import has_escapes

MAX_DEPTH = 64
MAX_BRACKETS = 250_000  # of which `depth` finds the depth in 50 ms
MAX_KEYS = 1_000

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_WS = rb"[ \t\r\n]*"
_STRING = rb'("[^"\\]*(?:\\.[^"\\]*)*")'
_KEY = re.compile(_WS + _STRING + _WS + b":" + _WS, re.DOTALL)
_NEXT = re.compile(_WS + rb"([,}])")
_MODEL = re.compile(b'"model"' + _WS + b":" + _WS + _STRING, re.DOTALL)

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class InferenceRequest(msgspec.Struct):
    """What the gateway reads of a request; the rest is the engine's business."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    stream: bool | None = None
    n: Positive | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None
    temperature: float | None = None
    top_p: float | None = None


class Body(NamedTuple):
    """A checked request body."""

    raw: bytes
    model: str
    start: int  # where the value of the model stands in `raw`, quotes included
    end: int

    def with_model(self, encoded: bytes) -> bytes:
        """Return the body with `encoded`, a JSON string, as its model; no other byte changes."""
        return self.raw[: self.start] + encoded + self.raw[self.end :]


_FIELDS = "|".join(InferenceRequest.__struct_fields__).encode()
_READ = re.compile(b'"(' + _FIELDS + b')"' + _WS + b":")
_request = msgspec.json.Decoder(InferenceRequest)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)


def parse(raw: bytes) -> Body:
    """Return the checked body of an inference request.

    Raises:
        InvalidBody: not one JSON object in UTF-8, nested deeper than `MAX_DEPTH`,
            more than `MAX_BRACKETS` objects and lists, or a key that is read given twice.
        InvalidValue: `model` is missing, or a value is of the wrong type.
    """
    # Fewer brackets than levels allowed cannot nest too deep: no need to look closer.
    brackets = raw.count(b"{") + raw.count(b"[")
    if brackets > MAX_BRACKETS:
        raise InvalidBody(f"the body has more than {MAX_BRACKETS:,} objects and lists")
    if brackets > MAX_DEPTH and depth(raw) > MAX_DEPTH:
        raise InvalidBody(f"the body is nested deeper than {MAX_DEPTH} levels")
    try:
        # The decoder skips what it does not need without looking at its encoding.
        if not raw.isascii():
            raw.decode()
        request = _request.decode(raw)
    except msgspec.ValidationError as error:
        raise _refusal(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidBody(f"the body is not valid JSON: {_first_line(error)}") from error
    # Each key that is read stands there literally once, and no escape could spell another:
    # these are the ones decoded.
    keys = _READ.findall(raw)
    found = _MODEL.search(raw)
    if found is None or len(set(keys)) < len(keys) or has_escapes(raw):
        return Body(raw, request.model, *_find_model(raw))
    return Body(raw, request.model, *found.span(1))


def depth(raw: bytes) -> int:
    """Return how deep `raw` nests, or `MAX_DEPTH + 1` when deeper or unbalanced.

    Runs at the speed of `bytes` methods: a walk in Python over 10 MB of brackets
    would hold the event loop for seconds.
    """
    # What remains at even places between the quotes is outside of strings.
    outside = b"".join(raw.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    # Whether each closes its own kind is for the decoder to say.
    brackets = outside.translate(_ONE_KIND, _NOT_BRACKETS)
    level = 0
    while brackets and level <= MAX_DEPTH:
        shorter = brackets.replace(b"[]", b"")  # the innermost level
        if len(shorter) == len(brackets):
            return MAX_DEPTH + 1
        brackets = shorter
        level += 1
    return level


def _find_model(raw: bytes) -> tuple[int, int]:
    """Return where the value of the top-level `model` stands, by walking the keys.

    The decoder keeps the last of equal keys; if what stands at a key is not what
    was decoded for it, the key was given twice.
    """
    members = _members.decode(raw)
    if len(members) > MAX_KEYS:
        raise InvalidBody(f"the body has more than {MAX_KEYS} keys")
    seen: set[str] = set()
    place = (0, 0)
    position = raw.index(b"{") + 1
    while (key := _KEY.match(raw, position)) is not None:
        name = _text.decode(key[1])
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


def _refusal(error: msgspec.ValidationError) -> InvalidBody | InvalidValue:
    message = str(error)
    if "missing required field `model`" in message:
        return InvalidValue("'model' is missing", param="model")
    field = re.search(r"`\$\.(\w+)`", message)
    if field is None:
        return InvalidBody("the body is not a JSON object")
    what = message.split(" - at")[0]
    return InvalidValue(f"'{field[1]}': {what[:1].lower()}{what[1:]}", param=field[1])


def _first_line(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return "nested too deep" if isinstance(error, RecursionError) else str(error).splitlines()[0]
