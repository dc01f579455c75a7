"""The settings of who waits where, and who goes first: `routing.waiting_room`, `.priority`."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from control.api.priorities import WORDS, Priority, Standing
from control.api.settings import Guard
from control.rules.choices import one_of

MAX_KEYS = 10_000

_SWITCH = {"on": True, "off": False}
_PRINCIPAL = re.compile(r"static:[0-9a-f]{8}")


def _switched(value: object) -> object:
    if isinstance(value, bool):  # what YAML makes of on and off
        return value
    if isinstance(value, str) and value in _SWITCH:
        return _SWITCH[value]
    raise ValueError("on or off is expected")


def _principal(text: str) -> str:
    if not _PRINCIPAL.fullmatch(text):
        raise ValueError("no id of a key; control logs them at its start, such as static:1f3a9c02")
    return text


Switch = Annotated[bool, BeforeValidator(_switched)]
# Kept as it is written: `geniehive up` writes settings down again.
PriorityWord = Annotated[
    Literal["low", "normal", "high"], BeforeValidator(one_of("priority", WORDS))
]
PrincipalId = Annotated[str, AfterValidator(_principal)]


class KeyPriority(Guard):
    """The priority of requests with one key; null: as with other keys."""

    default: PriorityWord | None = None
    highest: PriorityWord | None = None

    @property
    def standing(self) -> Standing:
        """The same, for the pure code."""
        return Standing(_priority(self.default), _priority(self.highest))


class PrioritySection(Guard):
    """Which requests go first. default: of those that name none. highest: that they may name."""

    default: PriorityWord = "normal"
    highest: PriorityWord = "high"
    keys: dict[PrincipalId, KeyPriority] = Field(default_factory=dict, max_length=MAX_KEYS)

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        _check(self.default, self.highest, ("default",))
        for principal, key in self.keys.items():
            if key.default is not None:
                _check(key.default, key.highest or self.highest, ("keys", principal, "default"))
        return self

    @property
    def standings(self) -> dict[str, Standing]:
        """What is said of keys, for the pure code."""
        return {principal: key.standing for principal, key in self.keys.items()}


def _priority(word: str | None) -> Priority | None:
    return None if word is None else WORDS[word]


def _check(default: str, highest: str, at: tuple[str, ...]) -> None:
    """Refuse a default that a request could not name itself."""
    if WORDS[default] > WORDS[highest]:
        context: dict[str, Any] = {"default": default, "highest": highest, "at": at}
        raise PydanticCustomError("above", "{default} is above highest, {highest}", context)
