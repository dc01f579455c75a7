"""Removing hidden reasoning from what models say, and reading what it cost."""

import json
from collections.abc import Callable
from typing import Annotated, Any, TypeGuard

import msgspec

HIDDEN_KEYS = frozenset({"reasoning", "reasoning_content"})


Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens as the engine counted them, each 0 or more."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0


class Unreadable(ValueError):
    """A text is not JSON, not even as lenient readers have it."""


class _Answer(msgspec.Struct, gc=False):
    usage: Usage | None = None


_answer = msgspec.json.Decoder(_Answer).decode
_anything = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def may_hide(text: bytes) -> bool:
    """Return whether `text` could hold a hidden key; an escape may spell one."""
    return text.find(b"reasoning") >= 0 or has_escapes(text)


def has_escapes(text: bytes) -> bool:
    """Return whether an escape in `text` could spell an ASCII letter."""
    # One byte, as a number, is found much faster than four, and most texts do not hold it.
    return 0x5C in text and b"\\u00" in text


def cleaned(text: bytes, *, strip: bool) -> tuple[bytes, Usage | None]:
    """Return the JSON document `text`, and what it says it cost.

    strip: without hidden keys; a text that has none is returned as it is.

    Raises:
        Unreadable: it is not JSON.
    """
    hides = strip and may_hide(text)
    if not hides:
        try:
            usage = _answer(text).usage
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # what is told in an odd way is looked at more closely
        else:
            if usage is None or usage.prompt_tokens or usage.completion_tokens:
                return text, usage
    document, encode = _read(text)
    usage = _usage(document.get("usage")) if isinstance(document, dict) else None
    return (encode(document) if hides and _strip(document) else text), usage


def _read(text: bytes) -> tuple[Any, Callable[[Any], bytes]]:
    """Return the document and what writes it again as strictly as it was read."""
    try:
        return _anything(text), _encode
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        # Engines in Python write NaN, and clients in Python read it.
        return json.loads(text), _encode_leniently
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def _encode_leniently(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _usage(told: object) -> Usage | None:
    """Return what can be believed of `told`, None when that is nothing."""
    if not isinstance(told, dict):
        return None
    prompt, completion = (told.get(name) for name in Usage.__struct_fields__)
    if not (_is_count(prompt) or _is_count(completion)):
        return None
    return Usage(prompt if _is_count(prompt) else 0, completion if _is_count(completion) else 0)


def _is_count(value: object) -> TypeGuard[int]:
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
