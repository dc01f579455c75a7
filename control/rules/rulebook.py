"""What settings and catalog together say about routing, and what changes when they do."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from control.api.ports import parse_address
from control.config import Config
from control.ranking.offering import Rules
from control.rules.catalog import Catalog, names, read_catalog

ROLES_VARIABLE = "GENIEHIVE_ROLES_CONFIG"

# What is followed while control runs; anything else needs a restart.
FOLLOWED = frozenset({"roles_path", "routing"})
NOT_FOLLOWED = ("evidence_half_life_s", "probe_interval_s", "probe_timeout_s")  # of `routing`


def roles_path(config: Config, environment: Mapping[str, str]) -> Path | None:
    """Return where the catalog is, or None."""
    if config.roles_path is not None:
        return config.roles_path
    named = environment.get(ROLES_VARIABLE, "")
    return Path(named) if named else None


def read_rules(config: Config, catalog_path: Path | None) -> tuple[Rules, list[str]]:
    """Return what routing goes by, and warnings about the catalog.

    Raises:
        SettingsError: the catalog cannot be used.
    """
    catalog = Catalog() if catalog_path is None else read_catalog(catalog_path)
    routing = config.routing
    rules = Rules(catalog.roles, routing.default_strategy, routing.scoring.made, routing.waiting)
    return rules, list(catalog.warnings)


def differences(before: Rules, after: Rules) -> Iterator[str]:
    """Yield what is different after a change, for the log."""
    old, new = before.roles, after.roles
    kinds = {
        "added": [role_id for role_id in new if role_id not in old],
        "changed": [role_id for role_id in new if role_id in old and new[role_id] != old[role_id]],
        "removed": [role_id for role_id in old if role_id not in new],
    }
    if found := [f"{kind} {names(role_ids)}" for kind, role_ids in kinds.items() if role_ids]:
        yield f"roles: {'; '.join(found)}"
    if before.strategy != after.strategy:
        yield f"routing.default_strategy: {after.strategy}"
    if before.scoring != after.scoring:
        yield "routing.scoring: changed"
    if before.waiting.on != after.waiting.on:
        yield f"routing.waiting_room: {'on' if after.waiting.on else 'off'}"
    if before.waiting != replace(after.waiting, on=before.waiting.on):
        yield "routing.priority: changed"


def waiting_for_restart(running: Config, written: Config) -> list[str]:
    """Return the keys that say something else than when control started, and are not followed."""
    keys = [
        name
        for name in Config.model_fields
        if name not in FOLLOWED and getattr(written, name) != getattr(running, name)
    ]
    if "listen" in keys and _same_but_for_a_free_port(running.listen, written.listen):
        keys.remove("listen")
    return keys + [
        f"routing.{name}"
        for name in NOT_FOLLOWED
        if getattr(written.routing, name) != getattr(running.routing, name)
    ]


def _same_but_for_a_free_port(running: str, written: str) -> bool:
    """Return whether the kernel chose the port: `geniehive up` writes down which one it is."""
    host, port = parse_address(running)
    return port == 0 and parse_address(written)[0] == host
