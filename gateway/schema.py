"""What JSON may look like, told from examples of it."""

from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def schema_of(*examples: Any) -> Schema:
    """Return the JSON schema that all `examples` fit; at least one says what each value is.

    An object that is empty in one of them has names of its own; a name that is missing in
    one is optional.
    """
    told = [one for one in examples if one is not None]
    found = _schema(told)
    if len(told) < len(examples) and "type" in found:
        found["type"] = [found["type"], "null"]
    return found


def _schema(told: Sequence[Any]) -> Schema:
    if all(isinstance(one, dict) for one in told) and told:
        return _object(told)
    if all(isinstance(one, list) for one in told) and told:
        items = [item for one in told for item in one]
        return {"type": "array", "items": schema_of(*items) if items else {}}
    types = {type(one) for one in told}
    if types == {int, float}:
        types = {float}
    return {"type": _TYPES[types.pop()]} if len(types) == 1 else {}


def _object(told: Sequence[dict[str, Any]]) -> Schema:
    names = dict.fromkeys(name for one in told for name in one)
    if not all(told):
        return {"type": "object", "additionalProperties": True}
    return {
        "type": "object",
        "required": [name for name in names if all(name in one for one in told)],
        "properties": {
            name: schema_of(*(one[name] for one in told if name in one)) for name in names
        },
    }
