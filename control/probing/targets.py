"""What an engine may be asked, by its name: never what would wake it, or make it work. Pure.

- llama.cpp: `/health` alone, which is open without a key. `/slots` would wake a model that
  sleeps, and a router has one `/metrics` for each model.
- SGLang may generate a token to answer `/health`, so it is asked for its models; LM Studio
  has nothing else, and logs an error for what it does not know.
- A server that nobody named may be any of these: its list of models says whether it may be
  asked for its health, too.
"""

import re

HEALTH, MODELS, VERSION = "/health", "/v1/models", "/api/version"

# By name in lower case, letters and digits only.
FIRST = {
    "llamacpp": HEALTH,
    "llamaserver": HEALTH,
    "llamafile": HEALTH,
    "vllm": HEALTH,
    "whispercpp": HEALTH,
    "ollama": VERSION,
    "sglang": MODELS,
    "lmstudio": MODELS,
}
# Of servers that say by their models who they are, those that are not asked for more;
# the last two are Ollama and LM Studio.
_ENOUGH = re.compile(rb'"owned_by"\s*:\s*"(?:sglang|library|organization_owner)"')
NOT_THERE = (404, 405)


def first(engine: str) -> str:
    """Return the path that a service of this engine is asked for; empty engine: not known."""
    return FIRST.get(_plain(engine), MODELS)


def second(engine: str, status: int, body: bytes) -> str | None:
    """Return what it is asked for after it answered the first; None when that was enough."""
    asked = first(engine)
    if asked == HEALTH:
        return MODELS if status in NOT_THERE else None
    if _plain(engine) in FIRST:
        return None
    well = 200 <= status < 300 and not _ENOUGH.search(body)
    return HEALTH if well or status in NOT_THERE else None


def _plain(engine: str) -> str:
    return re.sub(r"[^a-z0-9]", "", engine.lower())
