"""YAML files to checked settings, with messages that name file, line and nearest key."""

import difflib
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from control.api.ports import parse_address

MAX_FILE_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_SHOWN = 60  # characters of a value in a message

Path_ = tuple[str | int, ...]
T = TypeVar("T", bound="Section")
P = TypeVar("P", bound="Profiled")


class Section(BaseModel):
    """A frozen block of YAML; unknown keys are reported by `load`, never used."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


def _address(text: str) -> str:
    try:
        parse_address(text)
    except ValueError as error:
        raise PydanticCustomError("address", "{why}", {"why": str(error)}) from error
    return text


Address = Annotated[str, AfterValidator(_address)]


class Guard(Section):
    """A section that switches checks on: there, what looks like a typo is always an error."""


class ClientTls(Guard):
    """Files for a TLS channel to control. Without `ca` the system's authorities are trusted."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise PydanticCustomError("pair", "certificate and key come together")
        return self


class Profiled(Section):
    """A whole file. `casual`: unknown keys are warnings; `foundation`: they are errors."""

    deployment_profile: Literal["casual", "foundation"] = "casual"


class SettingsError(Exception):
    """Settings that cannot be used. One line an entry of `problems`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Loader(yaml.CSafeLoader):
    """Composes first, so that `_check` sees aliases and duplicate keys before they are merged."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return the value of `node`; one that its type cannot hold is an error with its line."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, ArithmeticError, LookupError, AttributeError) as error:
            # What int(), datetime() and PyYAML's own tables and patterns say to such a text.
            problem = f"{node.value[:MAX_SHOWN]!r} is no {node.tag.rpartition(':')[2]}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error


def read(path: Path | None, model: type[P]) -> tuple[P, list[str]]:
    """Return the settings in `path`, or the defaults, and warnings about unknown keys.

    Raises:
        SettingsError: as `load`; in the foundation profile also for unknown keys.
    """
    if path is None:
        return model(), []
    settings, warnings = load(path, model, strict=False)
    if warnings and settings.deployment_profile == "foundation":
        raise SettingsError(warnings)
    return settings, warnings


def load(path: Path, model: type[T], *, strict: bool = True) -> tuple[T, list[str]]:
    """Return the settings in `path` and warnings about unknown keys.

    strict: whether an unknown key is an error instead of a warning.

    Raises:
        SettingsError: the file is missing, not YAML, or holds unusable values.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError([f"{path}: {(error.strerror or str(error)).lower()}"]) from error
    if len(text) > MAX_FILE_BYTES:
        raise SettingsError([f"{path}: larger than {MAX_FILE_BYTES} bytes"])
    try:
        document, lines = _parse(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError([f"{path}:{_problem(error)}"]) from error
    return validate(document, lines, model, name=str(path), strict=strict)


def validate(
    document: Any, lines: dict[Path_, int], model: type[T], *, name: str, strict: bool = True
) -> tuple[T, list[str]]:
    """Return `document` as `model`, with a warning for each unknown key.

    lines: line of each key by its path; name: stands before the line in messages.

    Raises:
        SettingsError: a value is unusable, or a key is unknown and `strict`.
    """
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise SettingsError([f"{name}: a mapping of keys is expected, not {_kind(document)}"])
    warnings: list[str] = []
    # Each pass removes the unknown keys that it found, so that it ends.
    for _ in range(MAX_DEPTH):
        try:
            return model.model_validate(document), warnings
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = []
        for item in found:
            path = item["loc"]
            place = f"{name}{_line(lines, path)}: "
            if item["type"] != "extra_forbidden":
                problems.append(f"{place}{_dotted(path)}: {_message(item['msg'])}")
                continue
            sections = _sections_at(model, path)
            nearest = _nearest(sections, str(path[-1]))
            hint = f"; nearest: {nearest}" if nearest else ""
            typo = nearest and any(issubclass(section, Guard) for section in sections)
            message = f"{place}unknown key {_dotted(path)}{hint}"
            (problems if strict or typo else warnings).append(message)
            _remove(document, path)
        if problems:
            raise SettingsError(problems)
    raise SettingsError([f"{name}: nested deeper than {MAX_DEPTH} levels"])


def _parse(text: bytes) -> tuple[Any, dict[Path_, int]]:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()  # composes once; aliases show as repeated nodes
        lines: dict[Path_, int] = {}
        if node is None:
            return None, lines
        _check(node, (), lines, set())
        return loader.construct_document(node), lines
    finally:
        loader.dispose()


def _check(node: yaml.Node, path: Path_, lines: dict[Path_, int], seen: set[int]) -> None:
    if len(path) > MAX_DEPTH:
        raise yaml.MarkedYAMLError(problem="nested too deep", problem_mark=node.start_mark)
    if id(node) in seen:
        raise yaml.MarkedYAMLError(
            problem="aliases are not supported", problem_mark=node.start_mark
        )
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _check(item, (*path, index), lines, seen)
    elif isinstance(node, yaml.MappingNode):
        keys: set[Hashable] = set()
        for key, value in node.value:
            word = key.value if isinstance(key, yaml.ScalarNode) else ""
            if word in keys or word == "<<":
                raise yaml.MarkedYAMLError(
                    problem=f"duplicate key {word}", problem_mark=key.start_mark
                )
            keys.add(word)
            lines[(*path, word)] = key.start_mark.line + 1
            _check(value, (*path, word), lines, seen)


def _problem(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem_mark.line + 1}: {error.problem}"
    if isinstance(error, RecursionError):
        return " nested too deep"
    return " not UTF-8 text"


def _message(said: str) -> str:
    """Return what pydantic says, begun as our messages are; values in it stay as written."""
    said = said.removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def _line(lines: dict[Path_, int], path: Path_) -> str:
    while path:
        if path in lines:
            return f":{lines[path]}"
        path = path[:-1]
    return ""


def _dotted(path: Path_) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the document"


def _sections_at(model: type[BaseModel], path: Path_) -> list[type[BaseModel]]:
    """Return the sections that could hold the last word of `path`."""
    sections: list[type[BaseModel]] = [model]
    for part in path[:-1]:
        if isinstance(part, str):
            sections = [
                found
                for section in sections
                if part in section.model_fields
                for found in _sections_in(section.model_fields[part].annotation)
            ]
    return sections


def _nearest(sections: list[type[BaseModel]], word: str) -> str | None:
    """Return the known key that looks like `word`, if there is one."""
    names = [name for section in sections for name in section.model_fields]
    return next(iter(difflib.get_close_matches(word, names, n=1)), None)


def _sections_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _sections_in(inner)]


def _remove(document: Any, path: Path_) -> None:
    for part in path[:-1]:
        document = document[part]
    document.pop(path[-1], None)


def _kind(value: Any) -> str:
    names = {"list": "a list", "str": "a text"}
    return names.get(type(value).__name__, f"a {type(value).__name__}")
