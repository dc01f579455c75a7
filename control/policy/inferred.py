"""Request policies that models are known to need, told by their names. Pure."""

import re
from functools import lru_cache

from control.inventory import Asset, RequestPolicy

# Qwen3 and its followers think aloud unless they are told not to.
QWEN3 = RequestPolicy(body_defaults='{"chat_template_kwargs":{"enable_thinking":false}}')

_NOT_A_WORD = re.compile(r"[^a-z0-9]")
_QWEN3 = re.compile(r"(?:qwen)?qwen3")  # files are named `Qwen_Qwen3-8B-Q4_K_M.gguf`, too


def inferred(asset: Asset) -> RequestPolicy | None:
    """Return the policy for chats with `asset` that its name or its family calls for."""
    return QWEN3 if _is_qwen3(asset.asset_id) or _is_qwen3(asset.family) else None


@lru_cache(10_000)
def _is_qwen3(name: str) -> bool:
    """Return whether a model is of the line, e.g. `Qwen/Qwen3-8B`, `qwen3.5:9b`, `QWEN_3`."""
    bare = re.split(r"[/\\]", name)[-1]  # without vendor, registry or folder
    return _QWEN3.match(_NOT_A_WORD.sub("", bare.lower())) is not None
