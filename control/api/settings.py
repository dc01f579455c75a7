"""YAML files to checked settings, with messages that name file, line and nearest key."""

import difflib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from control.api.document import MAX_DEPTH, DocumentError, Path_, parse
from control.api.ports import parse_address

MAX_FILE_BYTES = 1 << 20

T = TypeVar("T", bound="Section")
P = TypeVar("P", bound="Profiled")


class Section(BaseModel):
    """A frozen block of YAML; unknown keys are reported by `load`, never used."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: object, info: ValidationInfo) -> object:
        """Refuse what nobody means.

        `no` where a text or a number is expected: YAML reads it as false, pydantic as 0;
        and the character 0, which ends a path or an argument wherever it stands.
        """
        if isinstance(value, str) and "\0" in value:
            raise PydanticCustomError("nul", "the character 0 is not allowed")
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and bool not in _parts(field.annotation):
            raise PydanticCustomError(
                "truth", "yes, no, on, off, true and false are no text and no number; use quotes"
            )
        return value


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
    document, lines = read_document(path)
    return validate(document, lines, model, name=str(path), strict=strict)


def read_document(path: Path) -> tuple[Any, dict[Path_, int]]:
    """Return what a file says, None when it is empty, and the line of each key by its path.

    Raises:
        SettingsError: the file is missing, or not YAML.
    """
    try:
        return parse(read_bytes(path, MAX_FILE_BYTES))
    except DocumentError as error:
        raise SettingsError([said(error, path)]) from error


def read_bytes(path: Path, most: int) -> bytes:
    """Return what is in a file of at most `most` bytes.

    Raises:
        SettingsError: it cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise SettingsError([f"{path}: {(error.strerror or str(error)).lower()}"]) from error
    if len(content) > most:
        raise SettingsError([f"{path}: larger than {most} bytes"])
    return content


def said(error: DocumentError, path: Path) -> str:
    """Return the line about a file that is no document."""
    return f"{path}:{error.line}: {error}" if error.line else f"{path}: {error}"


def validate(
    document: Any, lines: dict[Path_, int], model: type[T], *, name: str, strict: bool = True
) -> tuple[T, list[str]]:
    """Return `document` as `model`, with a warning for each unknown key.

    lines: line of each key by its path, of the document itself by `()` if it has one.
    name: stands before the line in messages.

    Raises:
        SettingsError: a value is unusable, or a key is unknown and `strict`.
    """
    document = {} if document is None else document
    if not isinstance(document, dict):
        place = f"{name}{_line(lines, ())}"
        raise SettingsError([f"{place}: a mapping of keys is expected, not {_kind(document)}"])
    warnings: list[str] = []
    # Each pass removes the unknown keys that it found, so that it ends.
    for _ in range(MAX_DEPTH):
        try:
            return model.model_validate(document), warnings
        except ValidationError as error:
            found = error.errors(include_url=False)
        problems = []
        for item in sorted(found, key=lambda item: _number(lines, _place(item))):
            path = _place(item)
            place = f"{name}{_line(lines, path)}: "
            if item["type"] != "extra_forbidden":
                problems.append(f"{place}{_dotted(path)}: {_message(item)}")
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


# What pydantic says in words of Python.
_PLAINLY = {"tuple_type": "a list is expected", "model_type": "a mapping of keys is expected"}


def _message(item: ErrorDetails) -> str:
    """Return what pydantic says, begun as our messages are; values in it stay as written."""
    said = _PLAINLY.get(item["type"]) or item["msg"].removeprefix("Value error, ")
    if item["type"].endswith("_parsing"):
        said = said.partition(", unable to ")[0]  # how it was read
    hint = ""
    if item["type"] == "string_type" and isinstance(item["input"], (int, float, date)):
        hint = "; put it in quotes"
    return said[:1].lower() + said[1:] + hint


def _place(item: ErrorDetails) -> Path_:
    """Return where a problem is; a check of a whole section says itself which part is meant."""
    at = item.get("ctx", {}).get("at", ())
    return (*(part for part in item["loc"] if part != "[key]"), *at)


def _line(lines: dict[Path_, int], path: Path_) -> str:
    number = _number(lines, path)
    return f":{number}" if number else ""


def _number(lines: dict[Path_, int], path: Path_) -> int:
    """Return the line of what is at `path`, or else around it; 0 when none is known."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 0)


def _dotted(path: Path_) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the document"


def _sections_at(model: type[BaseModel], path: Path_) -> list[type[BaseModel]]:
    """Return the sections that could hold the last word of `path`."""
    sections: list[type[BaseModel]] = [model]
    named = False  # whether `part` is a name of the user's own
    for part in path[:-1]:
        if isinstance(part, int) or named:
            named = False
            continue
        fields = [one.model_fields[part] for one in sections if part in one.model_fields]
        named = any(get_origin(field.annotation) is dict for field in fields)
        sections = [found for field in fields for found in _sections_in(field.annotation)]
    return sections


def _nearest(sections: list[type[BaseModel]], word: str) -> str | None:
    """Return where `word` belongs, or else the known key that looks like it, if there is one."""
    fields = [item for section in sections for item in section.model_fields.items()]
    for name, field in fields:
        if any(word in inner.model_fields for inner in _sections_in(field.annotation)):
            return f"{name}.{word}"
    names = [name for name, _ in fields]
    return next(iter(difflib.get_close_matches(word, names, n=1)), None)


def _sections_in(annotation: Any) -> list[type[BaseModel]]:
    return [one for one in _parts(annotation) if issubclass(one, BaseModel)]


def _parts(annotation: Any) -> list[type]:
    """Return the classes that an annotation is made of."""
    if isinstance(annotation, type) and not getattr(annotation, "__args__", ()):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _parts(inner)]


def _remove(document: Any, path: Path_) -> None:
    for part in path[:-1]:
        document = document[part]
    document.pop(path[-1], None)


def _kind(value: Any) -> str:
    names = {"list": "a list", "str": "a text"}
    return names.get(type(value).__name__, f"a {type(value).__name__}")
