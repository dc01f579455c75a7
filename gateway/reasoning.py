"""Removing hidden reasoning from what models say, and reading what it cost."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

HIDDEN_KEYS = frozenset({"reasoning", "reasoning_content"})


class Usage(NamedTuple):
    """Tokens as the engine counted them, each 0 or more."""

    prompt_tokens: int
    completion_tokens: int


class Unreadable(ValueError):
    """A text is not JSON, not even as lenient readers have it."""


class _UsageField(msgspec.Struct):
    # Anything may stand there; what is not a count is not believed.
    prompt_tokens: Any = None
    completion_tokens: Any = None


class _Answer(msgspec.Struct):
    usage: _UsageField | None = None


_answer = msgspec.json.Decoder(_Answer)
_anything = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode


def may_hide(text: bytes) -> bool:
    """Return whether `text` could hold a hidden key; an escape may spell one."""
    return b"reasoning" in text or has_escapes(text)


def has_escapes(text: bytes) -> bool:
    """Return whether an escape in `text` could spell an ASCII letter."""
    # One byte is found much faster than four, and most texts do not hold it.
    return b"\\" in text and b"\\u00" in text


def cleaned(text: bytes, *, strip: bool) -> tuple[bytes, Usage | None]:
    """Return the JSON document `text`, and what it says it cost.

    strip: without hidden keys; a text that has none is returned as it is.

    Raises:
        Unreadable: it is not JSON.
    """
    if not (strip and may_hide(text)):
        try:
            return text, _usage(_answer.decode(text).usage)
        except msgspec.ValidationError:
            return text, None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # lenient readers may still read it
    document, encode = _read(text)
    usage = document.get("usage") if isinstance(document, dict) else None
    told = _UsageField(**_counts(usage)) if isinstance(usage, dict) else None
    return (encode(document) if strip and _strip(document) else text), _usage(told)


def _read(text: bytes) -> tuple[Any, Callable[[Any], bytes]]:
    """Return the document and what writes it again as strictly as it was read."""
    try:
        return _anything.decode(text), _encode
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        # Engines in Python write NaN, and clients in Python read it.
        return json.loads(text), _encode_leniently
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def _encode_leniently(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _counts(usage: dict[str, Any]) -> dict[str, Any]:
    return {name: usage.get(name) for name in _UsageField.__struct_fields__}


def _usage(told: _UsageField | None) -> Usage | None:
    if told is None:
        return None
    prompt, completion = told.prompt_tokens, told.completion_tokens
    if not (_is_count(prompt) or _is_count(completion)):
        return None
    return Usage(prompt if _is_count(prompt) else 0, completion if _is_count(completion) else 0)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _strip(root: Any) -> bool:
    """Remove hidden keys below `root`, in place; return whether there were any.

    A stack instead of recursion: an engine decides how deep the document is.
    """
    found = False
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            for key in HIDDEN_KEYS & node.keys():
                del node[key]
                found = True
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return found
