"""Catalogs of roles to measure with."""

import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from bench.nodes import CONTEXTS, FAMILIES, GPUS, TIERS


def write(path: Path, count: int, edition: int, *, mixed: bool) -> None:
    """Write a catalog of `count` roles as editors do: the file is replaced as a whole.

    mixed: whether roles are choosy; otherwise every service may serve every role. Editions
    differ in what every role tells its models.
    """
    made = _choosy if mixed else _easy
    roles = [made(number, edition) for number in range(count)]
    beside = path.with_suffix(".new")
    beside.write_text(yaml.safe_dump({"roles": roles}))
    os.replace(beside, path)


def role_id(number: int) -> str:
    """Return the name of a role."""
    return f"role-{number:03}"


def _easy(number: int, edition: int) -> dict[str, object]:
    return _role(number, edition, {})


def _choosy(number: int, edition: int) -> dict[str, object]:
    """Return a role as people write them: some families first, here and there a gate."""
    routing: dict[str, object] = {
        "preferred_families": [FAMILIES[(number + step) % len(FAMILIES)] for step in range(2)],
        "min_context": CONTEXTS[number % len(CONTEXTS)],
        "require_loaded": number % 4 == 0,
    }
    if number % 2:
        routing["preferred_labels"] = [GPUS[number % len(GPUS)]]
    if number % 3 == 0:
        routing["allowed_trust_tiers"] = sorted(set(TIERS))[1:]
    if number % 5 == 0:
        routing["allowed_workload_classes"] = ["background"]
    if number:
        routing["fallback_roles"] = [role_id(number - 1)]
    return _role(number, edition, routing)


def _role(number: int, edition: int, routing: Mapping[str, object]) -> dict[str, object]:
    prompt = f"You have the task {number}, as of edition {edition}. Answer directly and briefly."
    return {
        "role_id": role_id(number),
        "operation": "chat",
        "description": f"Does the task {number}",
        "prompt_policy": {
            "system_prompt": prompt,
            "request_policy": {"body_defaults": {"temperature": 0.2}},
        },
        "routing_policy": dict(routing),
    }
