"""Removing hidden reasoning from what models say, and reading what it cost."""

from typing import Any, NamedTuple

import msgspec

HIDDEN_KEYS = frozenset({"reasoning", "reasoning_content"})


class Usage(NamedTuple):
    """Tokens as the engine counted them, each 0 or more."""

    prompt_tokens: int
    completion_tokens: int


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


def without_reasoning(text: bytes) -> bytes | None:
    """Return the JSON document `text` without hidden keys, or None when it has none.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: `text` is not JSON.
    """
    document = _anything.decode(text)
    return _encode(document) if _strip(document) else None


def usage_in(text: bytes) -> Usage | None:
    """Return what the JSON document `text` says it cost, or None when it does not say.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: `text` is not JSON.
    """
    try:
        found = _answer.decode(text).usage
    except msgspec.ValidationError:
        return None
    if found is None:
        return None
    prompt, completion = found.prompt_tokens, found.completion_tokens
    if not (_is_count(prompt) or _is_count(completion)):
        return None
    return Usage(
        prompt if _is_count(prompt) else 0,
        completion if _is_count(completion) else 0,
    )


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
