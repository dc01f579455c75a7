"""The catalog: the roles of a YAML file, checked, and with their stand-ins."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from control.api.document import DocumentError, Path_, pieces
from control.api.settings import SettingsError, read_bytes, said, validate
from control.ranking.resolution import near
from control.ranking.roles import Role
from control.rules.fallbacks import MAX_STAND_INS, chain
from control.rules.role_section import RoleSection

# 10,000 roles with a prompt have 5 MB, and take 3 s to read beside everything else.
MAX_CATALOG_BYTES = 16 << 20
MAX_ROLES = 20_000
MAX_TOLD = 20  # problems, or warnings, of a catalog
MAX_NAMED = 10  # roles in one line


@dataclass(frozen=True, slots=True)
class Catalog:
    """Roles by id, in the order of the file, and what people should know of them."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A role, the line where it begins, and that of its fallbacks."""

    role: Role
    line: int
    fallback_line: int


def read_catalog(path: Path) -> Catalog:
    """Return the roles in a file.

    To be called in a thread: it gives way to others every few milliseconds.

    Raises:
        SettingsError: the file is no catalog; nothing of it can be used then.
    """
    entries, problems = _entries(path)
    # A fallback on a role that is there and wrong is no second problem.
    if problems := problems or _dangling(path, entries):
        raise SettingsError(_some(problems))
    return _linked(path, entries)


def names(role_ids: Iterable[str]) -> str:
    """Return role ids for a message, at most ten of them."""
    listed = list(role_ids)
    more = len(listed) - MAX_NAMED
    return ", ".join(listed[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _entries(path: Path) -> tuple[dict[str, _Entry], list[str]]:
    entries: dict[str, _Entry] = {}
    problems: list[str] = []
    seen = False
    content = read_bytes(path, MAX_CATALOG_BYTES)
    try:
        for where, value, lines in pieces(content):
            seen = seen or where[:1] == ("roles",)
            if len(where) == 2 and where[0] == "roles":
                problems += _add(entries, path, value, lines)
            else:
                problems += _misplaced(path, where, value, lines)
            if len(problems) > MAX_TOLD:
                break
    except DocumentError as error:
        problems.append(said(error, path))
    # A file that is still being written, or is not there yet as a whole, must not remove all.
    if not seen and not problems:
        problems.append(f"{path}: there is no list of roles; for none, write roles: []")
    return entries, problems


def _add(
    entries: dict[str, _Entry], path: Path, value: object, lines: dict[Path_, int]
) -> list[str]:
    """Add a role to `entries`, or return what is wrong with it."""
    try:
        section, _ = validate(value, lines, RoleSection, name=str(path))
    except SettingsError as error:
        return error.problems
    role, line = section.role, lines[()]
    if role.role_id in entries:
        first = entries[role.role_id].line
        return [f"{path}:{line}: role_id: {role.role_id} is in line {first} already"]
    if len(entries) == MAX_ROLES:
        return [f"{path}:{line}: roles: more than {MAX_ROLES}"]
    fallback_line = lines.get(("routing_policy", "fallback_roles"), line)
    entries[role.role_id] = _Entry(role, line, fallback_line)
    return []


def _misplaced(path: Path, where: Path_, value: object, lines: dict[Path_, int]) -> list[str]:
    """Return what is wrong with a piece of a file that is no role."""
    place = f"{path}:{lines[()]}"
    if not where:
        return [f"{place}: a mapping with a list of roles is expected"]
    if where[0] != "roles":
        return [f"{place}: unknown key {where[0]}; a catalog holds roles, and nothing else"]
    return [] if value == [] else [f"{place}: roles: a list is expected"]


def _dangling(path: Path, entries: Mapping[str, _Entry]) -> list[str]:
    """Return a problem for each fallback that is no role."""
    problems = []
    for entry in entries.values():
        for name in entry.role.routing.fallback_roles:
            if name not in entries:
                place = f"{path}:{entry.fallback_line}: {entry.role.role_id}"
                nearest = near(name, entries)
                hint = f"; nearest: {nearest[0]}" if nearest else ""
                problems.append(f"{place}: routing_policy.fallback_roles: no role {name}{hint}")
                if len(problems) > MAX_TOLD:
                    return problems
    return problems


def _linked(path: Path, entries: Mapping[str, _Entry]) -> Catalog:
    """Return the catalog of `entries`, whose fallbacks are all there."""
    warnings = []
    fallbacks: dict[str, list[str]] = {}
    for role_id, entry in entries.items():
        fallbacks[role_id] = []
        for name in entry.role.routing.fallback_roles:
            other = entries[name].role.operation
            if other is entry.role.operation:
                fallbacks[role_id].append(name)
            else:
                warnings.append(
                    f"{path}:{entry.fallback_line}: {role_id}: routing_policy.fallback_roles:"
                    f" {name} is left out, it is for {other} and not for {entry.role.operation}"
                )
    chains = {role_id: chain(role_id, fallbacks) for role_id in entries}
    if circular := [role_id for role_id, found in chains.items() if found.circular]:
        warnings.append(
            f"{path}: fallbacks lead back to where they began, each role is tried once:"
            f" {names(circular)}"
        )
    if cut := [role_id for role_id, found in chains.items() if found.cut]:
        warnings.append(
            f"{path}: fallbacks end after {MAX_STAND_INS} roles, others are not tried: {names(cut)}"
        )
    roles = {
        role_id: dataclasses.replace(entry.role, stand_ins=chains[role_id].role_ids)
        for role_id, entry in entries.items()
    }
    return Catalog(roles, _some(warnings))


def _some(lines: Sequence[str]) -> list[str]:
    return [*lines[:MAX_TOLD], *(["and more"] if len(lines) > MAX_TOLD else [])]
