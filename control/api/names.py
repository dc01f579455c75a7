"""Names that mean the same model."""

LATEST = ":latest"  # what Ollama adds to a name without a tag


def untagged(name: str) -> str:
    """Return `name` as it is offered: `qwen3:latest` is `qwen3`."""
    return name.removesuffix(LATEST) or name
