"""Request policies, applied: fields that operators set, and what they say in chats.

A body is read no deeper than a policy reaches. What no policy touches keeps its bytes: long
numbers, escapes, and spaces inside of values. Of equal keys the last one counts, as it does
for the decoder that checked the body.
"""

from dataclasses import dataclass, field

import msgspec
from geniehive.v1 import inventory_pb2 as pb

from control.api.errors import InvalidValue
from control.api.policy_rules import around_input, fields_of
from gateway.prompts import Position, SystemPrompt, UserTemplate

TOOLS = ("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call")

_POSITIONS: dict[int, Position] = {
    pb.SYSTEM_PROMPT_POSITION_UNSPECIFIED: Position.PREPEND,
    pb.SYSTEM_PROMPT_POSITION_PREPEND: Position.PREPEND,
    pb.SYSTEM_PROMPT_POSITION_APPEND: Position.APPEND,
    pb.SYSTEM_PROMPT_POSITION_REPLACE: Position.REPLACE,
}
_STRIPS: dict[int, bool | None] = {
    pb.REASONING_UNSPECIFIED: None,
    pb.REASONING_STRIP: True,
    pb.REASONING_PASS: False,
}
_BRACE = ord("{")

Members = dict[str, msgspec.Raw]

_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Field:
    """A field as it is sent. inner: its own fields, where it is an object."""

    raw: msgspec.Raw
    inner: "dict[str, _Field] | None"


Fields = dict[str, _Field]


@dataclass(frozen=True, slots=True)
class Shaper:
    """What one request policy does to bodies.

    strip: whether hidden reasoning is removed from answers, None for as the gateway is
    configured. told: the policy as it was pushed, to show it. splices: whether nothing of a
    body changes but the model.
    """

    strip: bool | None = None
    defaults: Fields = field(default_factory=dict)
    overrides: Fields = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    template: UserTemplate | None = None
    prompt: SystemPrompt | None = None
    told: pb.RequestPolicy | None = None
    splices: bool = field(init=False)

    def __post_init__(self) -> None:
        changes = self.defaults, self.overrides, self.left_out, self.template, self.prompt
        object.__setattr__(self, "splices", not any(changes))

    def shaped(self, raw: bytes, model: bytes) -> bytes:
        """Return `raw`, a checked body, with `model`, a JSON string, as its model, and shaped.

        Raises:
            InvalidValue: the messages are such that nothing can be said in them.
        """
        try:
            members = _members(raw)
            for name in self.left_out:
                members.pop(name, None)
            _set(members, self.defaults, over=False)
            _set(members, self.overrides, over=True)
            if self.template is not None:
                members["messages"] = self.template.applied(_messages(members))
            if self.prompt is not None:
                members["messages"] = self.prompt.added(_messages(members))
        except msgspec.DecodeError as error:
            raise InvalidValue(f"the body cannot be changed: {error}") from error
        members["model"] = msgspec.Raw(model)
        return _encode(members)


def read(message: pb.RequestPolicy) -> Shaper:
    """Return what `message` says, ready to be applied.

    Raises:
        ValueError: it cannot be; says which field and why.
    """
    if message.system_prompt_position not in _POSITIONS:
        raise ValueError(f"system_prompt_position {message.system_prompt_position} is not known")
    if message.reasoning not in _STRIPS:
        raise ValueError(f"reasoning {message.reasoning} is not known")
    position = _POSITIONS[message.system_prompt_position]
    told = pb.RequestPolicy()
    told.CopyFrom(message)  # or the whole update would stay in memory with it
    return Shaper(
        strip=_STRIPS[message.reasoning],
        defaults=_read_fields("body_defaults", message.body_defaults),
        overrides=_read_fields("body_overrides", message.body_overrides),
        left_out=TOOLS if message.without_tools else (),
        template=_read_template(message.user_template),
        prompt=SystemPrompt(message.system_prompt, position) if message.system_prompt else None,
        told=told,
    )


def _read_fields(name: str, text: str) -> Fields:
    try:
        fields_of(text)
        return _fields(text.encode() or b"{}")
    except ValueError as error:  # also what the decoder says
        raise ValueError(f"{name}: {error}") from error


def _fields(written: bytes | msgspec.Raw) -> Fields:
    return {
        name: _Field(raw, _fields(raw) if _is_object(raw) else None)
        for name, raw in _members(written).items()
    }


def _read_template(text: str) -> UserTemplate | None:
    if not text:
        return None
    try:
        before, after = around_input(text)
    except ValueError as error:
        raise ValueError(f"user_template: {error}") from error
    return UserTemplate(before, after) if before or after else None


def _set(members: Members, fields: Fields, *, over: bool) -> None:
    """Put `fields` into `members`, objects into objects. over: also over what is there."""
    for name, ours in fields.items():
        theirs = members.get(name)
        if theirs is None:
            members[name] = ours.raw
        elif ours.inner is not None and _is_object(theirs):
            inner = _members(theirs)
            _set(inner, ours.inner, over=over)
            members[name] = msgspec.Raw(_encode(inner))
        elif over:
            members[name] = ours.raw


def _messages(members: Members) -> msgspec.Raw:
    try:
        return members["messages"]
    except KeyError:
        raise InvalidValue("'messages' is missing", param="messages") from None


def _is_object(raw: msgspec.Raw) -> bool:
    return memoryview(raw)[0] == _BRACE
