"""Removing hidden reasoning from what models say, and reading what it cost."""

import re
from typing import Annotated, Any, TypeGuard

import msgspec

HIDDEN_KEYS = ("reasoning", "reasoning_content")
_BEGIN = b"reasoning"  # of all of them

# What is cut out within 50 ms; a text with more of it is not an answer of a model.
MAX_HIDDEN = 10_000  # members
MAX_NESTED = 100_000  # strings and brackets inside of them

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens as the engine counted them, each 0 or more."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class Unreadable(ValueError):
    """A text is not JSON, not even as lenient readers have it, or it hides too much."""


class _Answer(msgspec.Struct, gc=False):
    usage: Usage | None = None


class _OddAnswer(msgspec.Struct):
    # Anything may stand there; what is not a count is not believed.
    usage: Any = None


_answer = msgspec.json.Decoder(_Answer).decode
_odd_answer = msgspec.json.Decoder(_OddAnswer).decode
_check = msgspec.json.Decoder(msgspec.Raw).decode

_WS = r"[ \t\r\n]*+"


def _keys(letters: dict[str, str]) -> re.Pattern[bytes]:
    """Return what finds a hidden key and its colon, its letters as in `letters`.

    In JSON a colon follows keys alone, and a quote inside of a string follows a
    backslash: in a text that was checked, a match is a key.
    """
    names = ("".join(letters.get(letter, letter) for letter in name) for name in HIDDEN_KEYS)
    pattern = rf'"(?<!\\")(?:{"|".join(names)})"{_WS}:{_WS}'
    return re.compile(pattern.encode())


_SPELLINGS = {
    letter: rf"(?:{letter}|(?i:\\u{ord(letter):04x}))" for letter in set("".join(HIDDEN_KEYS))
}
_KEY = _keys({})
_SPELLED_KEY = _keys(_SPELLINGS)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s\[\]{},]++")
_STRING_OR_BRACKET = re.compile(rb"[\[\]{}]|" + _STRING.pattern, re.DOTALL)
_BRACKETS = dict(zip(b"[{]}", (1, 1, -1, -1), strict=True))
_COMMA = re.compile(rb"\s*+,")
# Letters and underscore are 0x5F to 0x7A; what engines escape is not ASCII, as \u00e9.
_LETTER_ESCAPE = re.compile(rb"\\u00[567]")


def may_hide(text: bytes) -> bool:
    """Return whether `text` could hold a hidden key; an escape may spell one."""
    # The same look again is cheaper than a call for each of the many without.
    return text.find(_BEGIN) >= 0 or (0x5C in text and has_escapes(text))


def has_escapes(text: bytes) -> bool:
    """Return whether an escape in `text` could spell an ASCII letter."""
    # One byte, as a number, is found much faster than four, and most texts do not hold it.
    if 0x5C not in text:
        return False
    place = text.find(b"\\u00")
    return place >= 0 and _LETTER_ESCAPE.search(text, place) is not None


def cleaned(text: bytes, *, strip: bool) -> tuple[bytes, Usage | None]:
    """Return the JSON document `text`, and what it says it cost.

    Nothing is decoded that need not be: 1 MB takes 1 to 4 ms, whatever it holds.

    strip: without hidden keys, at any depth. No other byte changes but the comma and the
    spaces beside them; a text that has none of them is returned as it is.

    Raises:
        Unreadable: it is not JSON, or has more to hide than can be removed at once.
    """
    try:
        usage = _answer(text).usage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        usage = _odd_usage(text)
    else:
        if usage is not None and not (usage.prompt_tokens or usage.completion_tokens):
            usage = _odd_usage(text)  # absent is not zero
    return (_without_hidden(text) if strip and may_hide(text) else text), usage


def _odd_usage(text: bytes) -> Usage | None:
    """Return what can be believed of an answer that strict readers refuse or find no sense in."""
    try:
        _check(text)
    except (msgspec.DecodeError, RecursionError):
        # Engines in Python write these, and clients in Python read them.
        text = text.replace(b"NaN", b"0").replace(b"Infinity", b"0")
        text = text.replace(b"\\ud", b"\\u0").replace(b"\\uD", b"\\u0")  # lone surrogates
        try:
            _check(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unreadable(str(error)) from error
    try:
        told = _odd_answer(text).usage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # not an object, or nothing that could be decoded
    if not isinstance(told, dict):
        return None
    prompt, completion = (told.get(name) for name in Usage.__struct_fields__)
    if not (_is_count(prompt) or _is_count(completion)):
        return None
    return Usage(prompt if _is_count(prompt) else 0, completion if _is_count(completion) else 0)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**53


def _without_hidden(text: bytes) -> bytes:
    """Return `text`, which was checked, without hidden members."""
    next_key = _SPELLED_KEY.search if has_escapes(text) else _next_plain_key
    kept = []
    end = nested = 0  # what stands before `end` is kept or gone
    while (found := next_key(text, end)) is not None:
        before = text[end : found.start()].rstrip()
        after, steps = _end_of_value(text, found.end(), MAX_NESTED - nested)
        nested += steps
        if before.endswith(b","):
            before = before[:-1]
        elif (comma := _COMMA.match(text, after)) is not None:
            after = comma.end()
        kept.append(before)
        end = after
        if len(kept) > MAX_HIDDEN:
            raise Unreadable(f"more than {MAX_HIDDEN} hidden members")
    if not kept:
        return text
    kept.append(text[end:])
    return b"".join(kept)


def _next_plain_key(text: bytes, start: int) -> re.Match[bytes] | None:
    # The first place where one could be is found much faster by itself.
    place = text.find(_BEGIN, start)
    return _KEY.search(text, place - 1) if place > 0 else None


def _end_of_value(text: bytes, start: int, limit: int) -> tuple[int, int]:
    """Return where the value at `start` ends, and how many steps inside of it that took.

    Raises:
        Unreadable: that took more than `limit` steps.
    """
    found = _STRING.match(text, start) or _SCALAR.match(text, start)
    if found is not None:
        return found.end(), 0
    depth = 0
    for step, token in enumerate(_STRING_OR_BRACKET.finditer(text, start)):
        depth += _BRACKETS.get(text[token.start()], 0)
        if depth == 0:
            return token.end(), step
        if step > limit:
            break
    raise Unreadable(f"more than {MAX_NESTED} strings and brackets inside of hidden members")
