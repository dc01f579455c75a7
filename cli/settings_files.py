"""The files that GenieHive is set up with: whose one is, what is wrong in it, what holds."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from control.api.secret_files import open_to_all
from control.api.settings import Profiled, SettingsError, read_bytes, read_document, validate
from control.config import Config as ControlConfig
from control.config import exposure, metrics_exposure
from control.rules.catalog import MAX_CATALOG_BYTES, read_catalog
from gateway.config import Config as GatewayConfig
from node.config import Config as NodeConfig
from node.config import out_of_reach

ROLES = "roles"
MODELS: Mapping[str, type[Profiled]] = {
    "control": ControlConfig,
    "node": NodeConfig,
    "gateway": GatewayConfig,
}
WHOSE = " or ".join(f"--kind {one}" for one in (*MODELS, ROLES))
IS_CATALOG = re.compile(rb"^[\"']?roles[\"']?[ \t]*:", re.MULTILINE)

# What a service takes from the environment while its file says nothing.
VARIABLES: Mapping[str, Mapping[str, str]] = {
    "control": {"roles_path": "GENIEHIVE_ROLES_CONFIG", "log.format": "GENIEHIVE_LOG_FORMAT"},
    "node": {"log.format": "GENIEHIVE_LOG_FORMAT"},
    "gateway": {"state_dir": "GENIEHIVE_STATE_DIR", "log.format": "GENIEHIVE_LOG_FORMAT"},
}
SECRETS = ("api_key", "api_keys", "secret", "password", "token")
SET, NOT_SET = "set", "not set"

Lines = Mapping[tuple[str | int, ...], int]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file is, and what is wrong in it, one line each."""

    kind: str
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that holds, and why. It is `set` or `not set` where it is secret."""

    key: str
    value: object
    source: str  # file, environment or default
    place: str = ""  # file:line, or the variable

    @property
    def origin(self) -> str:
        """Where the value is from, for people."""
        return self.place or self.source


def recognised(path: Path) -> str:
    """Return whose settings are in a file, by its keys, or else by its name.

    Raises:
        SettingsError: nobody can tell, or it is no YAML.
    """
    if path.exists() and not path.is_file():  # a pipe, for instance
        raise SettingsError([f"{path}: can be read only once; say {WHOSE}"])
    if IS_CATALOG.search(read_bytes(path, MAX_CATALOG_BYTES)):
        return ROLES
    document, _ = read_document(path)
    keys = set(document) if isinstance(document, dict) else set()
    known = {kind: len(keys & set(model.model_fields)) for kind, model in MODELS.items()}
    likely = [kind for kind, count in known.items() if count == max(known.values())]
    if len(likely) > 1:
        likely = [kind for kind in likely if kind in path.stem]
    if len(likely) != 1:
        raise SettingsError([f"{path}: its keys do not tell whose settings they are; say {WHOSE}"])
    return likely[0]


def check(path: Path, kind: str | None = None) -> Checked:
    """Return all that is wrong in a file, and in the catalog that it names.

    kind: whose it is; None: find out. What a service would only warn of, a key that is not
    known, is wrong here.
    """
    try:
        kind = kind or recognised(path)
        if kind == ROLES:
            return Checked(kind, warnings=tuple(read_catalog(path).warnings))
        document, lines = read_document(path)
    except SettingsError as error:
        return Checked(kind or "unknown", tuple(error.problems))
    named = document.get("roles_path") if isinstance(document, dict) else None
    problems: list[str] = []
    warnings: list[str] = []
    try:
        settings, _ = validate(document, lines, MODELS[kind], name=str(path))
        _look_closer(path, settings, problems, warnings)
    except SettingsError as error:
        problems = error.problems
    if kind == "control" and isinstance(named, str):
        catalog = check(Path(named), ROLES)
        where = f"{path}:{lines['roles_path',]}: roles_path: "
        whole = f"{named}: "  # what has no line of its own, such as a file that is not there
        problems += [where + one if one.startswith(whole) else one for one in catalog.problems]
        warnings += catalog.warnings
    return Checked(kind, tuple(problems), tuple(warnings))


def _look_closer(path: Path, settings: Profiled, problems: list[str], warnings: list[str]) -> None:
    """Add what is wrong with settings each of which is right."""
    if isinstance(settings, NodeConfig):
        warnings += [f"{path}: {one}" for one in out_of_reach(settings)]
    if not isinstance(settings, ControlConfig):
        return
    for exposed in (exposure(settings), metrics_exposure(settings)):
        if exposed is not None:
            problems.append(f"{path}: {exposed}")
    if settings.auth.holds_keys and open_to_all(path):
        strict = settings.deployment_profile == "foundation"
        (problems if strict else warnings).append(
            f"{path}: holds keys, and everybody can read it; chmod 600"
        )


def show(path: Path | None, kind: str, environment: Mapping[str, str]) -> list[Setting]:
    """Return all settings of a kind, in the order of their sections. path: None: the defaults.

    Raises:
        SettingsError: the file cannot be used.
    """
    document, lines = (None, {}) if path is None else read_document(path)
    settings, _ = validate(document, lines, MODELS[kind], name=str(path), strict=False)
    values = settings.model_dump(mode="json")
    return [
        _setting(keys, value, path, lines, VARIABLES[kind], environment)
        for keys, value in _leaves((), values)
        if not (value is None and keys[:2] == ("routing", "scoring"))  # the preset says it
    ]


def _leaves(keys: tuple[str | int, ...], value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield each value that is no section, with the path to it."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves((*keys, key), inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for place, inner in enumerate(value):
            yield from _leaves((*keys, place), inner)
    else:
        yield keys, value


def _setting(
    keys: tuple[str | int, ...],
    value: object,
    path: Path | None,
    lines: Lines,
    variables: Mapping[str, str],
    environment: Mapping[str, str],
) -> Setting:
    key = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in keys)[1:]
    word = str(keys[-1])
    if word.endswith(SECRETS):
        value = SET if value else NOT_SET
    elif word.endswith("key_env") and value:
        value = f"{value} ({SET if environment.get(str(value)) else NOT_SET})"
    variable = variables.get(key, "")
    if value is None and (found := environment.get(variable)):
        return Setting(key, found, "environment", variable)
    if keys in lines:
        return Setting(key, value, "file", f"{path}:{lines[keys]}")
    return Setting(key, value, "default")
