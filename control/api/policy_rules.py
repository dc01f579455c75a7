"""What may stand in a request policy, whoever writes it. Pure."""

import json
import math
import re
from typing import Any

MAX_BYTES = 64 << 10  # of each text, and of each object as JSON
MAX_DEPTH = 32

_DESTINATION = "where a request goes, and with which key, is not for its body to say"
# Top-level fields that no policy sets, and why.
RESERVED: dict[str, str] = {
    "model": "the asset that is chosen decides it",
    "messages": "callers say it; use system_prompt or user_template",
    "input": "callers say it",
    "stream": "callers decide it",
    **dict.fromkeys(
        (
            *("api_base", "api_key", "base_url", "custom_host"),
            *("extra_headers", "headers", "proxies", "proxy"),
        ),
        _DESTINATION,
    ),
}

_PLACEHOLDER = re.compile(r"\{\{[ \t]*user_input[ \t]*\}\}")


def json_of(fields: object) -> str:
    """Return `fields`, an object of a request body, as compact JSON; "" when it is empty.

    Raises:
        ValueError: it is no such object; says what is wrong, e.g. `x.y: inf is not finite`.
    """
    if not isinstance(fields, dict):
        raise ValueError(f"a mapping of fields is expected, not {_kind(fields)}")
    for name, why in RESERVED.items():
        if name in fields:
            raise ValueError(f"{name!r} cannot be set: {why}")
    _check(fields, "", 1)
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")) if fields else ""
    check_encoding(text)
    return text


def fields_of(text: str) -> dict[str, Any]:
    """Return what `json_of` made `text` of.

    Raises:
        ValueError: it is not JSON, or as of `json_of`.
    """
    if not text:
        return {}
    try:
        fields = json.loads(text)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    json_of(fields)
    return dict(fields)


def check_length(text: str) -> None:
    """Check that `text` is not too long for one policy; several, merged, may be longer.

    Raises:
        ValueError: it has more than `MAX_BYTES` in UTF-8.
    """
    if len(text.encode()) > MAX_BYTES:
        raise ValueError(f"longer than {MAX_BYTES >> 10} KiB")


def check_encoding(text: str) -> None:
    """Check that `text` can be sent.

    Raises:
        ValueError: half of a surrogate pair stands in it.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = ord(text[error.start])
        raise ValueError(f"holds U+{half:04X}, half a character") from error


def around_input(template: str) -> tuple[str, str]:
    """Return what stands before and after the one `{{ user_input }}` of a user template.

    Any other braces are plain text.

    Raises:
        ValueError: the placeholder does not stand there once.
    """
    parts = _PLACEHOLDER.split(template)
    if len(parts) != 2:
        raise ValueError(f"{{{{ user_input }}}} must stand there once, not {len(parts) - 1} times")
    return parts[0], parts[1]


def _check(value: object, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    match value:
        case dict():
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise ValueError(f"{_at(path)}the key {key!r} is no text; use quotes")
                _check(inner, f"{path}.{key}" if path else key, depth + 1)
        case list() | tuple():
            for number, inner in enumerate(value):
                _check(inner, f"{path}[{number}]", depth + 1)
        case float() if not math.isfinite(value):
            raise ValueError(f"{_at(path)}{value} is not finite")
        case str() | int() | float() | None:  # bool is an int
            pass
        case _:
            raise ValueError(f"{_at(path)}{_kind(value)} has no place in JSON; use quotes")


def _at(path: str) -> str:
    return f"{path[:100]}: " if path else ""


def _kind(value: object) -> str:
    names = {"list": "a list", "str": "a text", "int": "a number", "NoneType": "nothing"}
    return names.get(type(value).__name__, f"a {type(value).__name__}")
