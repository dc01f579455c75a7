"""Workloads: what is asked, and what an answer must be like, read from YAML."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from control.api import settings
from control.api.settings import Section

OWN = Path(__file__).resolve().parent.parent / "workloads"
MAX_CASES = 1_000
MAX_PATTERN = 500  # characters of a regular expression

# What the runner says itself, so that times can be taken and answers attributed.
RESERVED = ("model", "messages", "input", "stream", "stream_options", "n")

Name = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f\x7f]+$", max_length=200)]
Text = Annotated[str, Field(min_length=1)]


class Expect(Section):
    """What an answer must be like to pass, each rule of it; blank ones never do.

    Texts are compared without regard to case. Rules of embeddings are about the vectors.
    """

    contains_any: tuple[Text, ...] = ()
    contains_all: tuple[Text, ...] = ()
    matches: Annotated[str, Field(max_length=MAX_PATTERN)] | None = None
    min_characters: Annotated[int, Field(ge=1)] | None = None
    is_json: bool = False
    dimensions_at_least: Annotated[int, Field(ge=1)] | None = None
    nearest_to_first: Annotated[int, Field(ge=1)] | None = None  # number of an input, 0 the first

    @field_validator("matches")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise PydanticCustomError("regex", "{why}", {"why": str(error)}) from error
        return value

    def rules(self) -> set[str]:
        """Return the names of the rules that are set."""
        return {name for name, value in self if value not in ((), None, False)}


RULES_OF_VECTORS = {"dimensions_at_least", "nearest_to_first"}


class Message(Section):
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    for name in RESERVED:
        if name in value:
            raise PydanticCustomError("reserved", "{name} is said by the runner", {"name": name})
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PydanticCustomError("json", "no JSON: {why}", {"why": str(error).lower()}) from error
    return value


class Asking(Section):
    """Fields of the request that a workload or a case adds, as the engine understands them."""

    body: dict[str, Any] = Field(default_factory=dict)

    @field_validator("body")
    @classmethod
    def _unreserved(cls, value: dict[str, Any]) -> dict[str, Any]:
        return _plain(value)


class Case(Asking):
    """One request. A chat has a prompt or whole messages, an embedding has inputs."""

    case: Name
    prompt: Text | None = None
    messages: tuple[Message, ...] = ()
    input: tuple[Text, ...] = ()
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.prompt is not None) + bool(self.messages) + bool(self.input) != 1:
            problem = "exactly one of prompt, messages, input is needed"
            raise PydanticCustomError(
                "question", "{problem}", {"problem": problem, "at": ("case",)}
            )
        nearest = self.expect.nearest_to_first
        if nearest is not None and nearest >= len(self.input):
            raise PydanticCustomError(
                "nearest",
                "there is no input {nearest}; the first is 0",
                {"nearest": nearest, "at": ("expect", "nearest_to_first")},
            )
        return self


class Workload(Asking):
    """A kind of task, by some cases of it."""

    workload: Name
    operation: Literal["chat", "embeddings"]
    description: str = ""
    system_prompt: Text | None = None
    cases: Annotated[tuple[Case, ...], Field(max_length=MAX_CASES)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.cases:  # asked here, or a bad case would be told as none, too
            raise PydanticCustomError("cases", "a case is needed", {"at": ("cases",)})
        seen: set[str] = set()
        for number, case in enumerate(self.cases):
            if case.case in seen:
                raise _at(number, "case", f"there is another case {case.case!r}")
            seen.add(case.case)
            if bool(case.input) != (self.operation == "embeddings"):
                wanted = "input" if self.operation == "embeddings" else "prompt or messages"
                raise _at(number, "case", f"a case of {self.operation} has {wanted}")
            chat = self.operation == "chat"
            wrong = {rule for rule in case.expect.rules() if (rule in RULES_OF_VECTORS) == chat}
            if wrong:
                raise _at(number, "expect", f"{min(wrong)} is no rule of {self.operation}")
        return self

    def request(self, case: Case, model: str) -> tuple[str, dict[str, Any]]:
        """Return path and body of the request for a case, `model` being who is asked."""
        body = {**self.body, **case.body, "model": model}
        if self.operation == "embeddings":
            return "/v1/embeddings", {**body, "input": list(case.input)}
        messages = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        if case.prompt is not None:
            messages.append({"role": "user", "content": case.prompt})
        messages += [one.model_dump() for one in case.messages]
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        return "/v1/chat/completions", {**body, "messages": messages, **streamed}


def _at(case: int, field: str, problem: str) -> PydanticCustomError:
    context = {"problem": problem, "at": ("cases", case, field)}
    return PydanticCustomError("case", "{problem}", context)


def own() -> list[str]:
    """Return the names of the workloads that come with GenieHive."""
    return sorted(path.stem for path in OWN.glob("*.yaml"))


def load(name: str) -> Workload:
    """Return one of our workloads by its name, or the one in a file.

    Raises:
        SettingsError: there is none, or what is in the file cannot be used.
    """
    path = OWN / f"{name}.yaml" if name in own() else Path(name)
    if path.suffix not in (".yaml", ".yml"):
        known = ", ".join(own())
        raise settings.SettingsError(
            [f"no workload {name!r}; a file ends in .yaml; there are: {known}"]
        )
    return settings.load(path, Workload)[0]
