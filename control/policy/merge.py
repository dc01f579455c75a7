"""Two request policies made one: the later one wins. Pure."""

import json
from typing import Any

from control.inventory import Position, RequestPolicy

NOTHING = RequestPolicy()


def merge(earlier: RequestPolicy, later: RequestPolicy) -> RequestPolicy:
    """Return both, `later` winning where they disagree; of several, merge the first two first.

    Objects are merged member by member, at any depth; anything else is replaced, lists too. A
    prompt replaces the earlier one and its position. Both hold JSON objects, or nothing.
    """
    prompted = later if later.system_prompt else earlier
    return RequestPolicy(
        body_defaults=_merged(earlier.body_defaults, later.body_defaults),
        body_overrides=_merged(earlier.body_overrides, later.body_overrides),
        system_prompt=prompted.system_prompt,
        position=prompted.position if prompted.system_prompt else Position.PREPEND,
        user_template=later.user_template or earlier.user_template,
        reasoning=later.reasoning or earlier.reasoning,
        without_tools=earlier.without_tools or later.without_tools,
    )


def _merged(earlier: str, later: str) -> str:
    fields = _deep(json.loads(earlier or "{}"), json.loads(later or "{}"))
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) if fields else ""


def _deep(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    merged = earlier | later
    for name in earlier.keys() & later.keys():
        if isinstance(earlier[name], dict) and isinstance(later[name], dict):
            merged[name] = _deep(earlier[name], later[name])
    return merged
