"""Request policies from and to messages. Copies; judges nothing."""

from geniehive.v1 import inventory_pb2 as pb

from control.inventory import Position, Reasoning, RequestPolicy

_POSITION_VALUES: dict[Position, pb.SystemPromptPosition] = {
    Position.PREPEND: pb.SYSTEM_PROMPT_POSITION_PREPEND,
    Position.APPEND: pb.SYSTEM_PROMPT_POSITION_APPEND,
    Position.REPLACE: pb.SYSTEM_PROMPT_POSITION_REPLACE,
}
_POSITIONS: dict[int, Position] = {value: one for one, value in _POSITION_VALUES.items()}
_REASONING_VALUES: dict[Reasoning | None, pb.Reasoning] = {
    None: pb.REASONING_UNSPECIFIED,
    Reasoning.STRIP: pb.REASONING_STRIP,
    Reasoning.PASS: pb.REASONING_PASS,
}
_REASONING: dict[int, Reasoning | None] = {value: one for one, value in _REASONING_VALUES.items()}


def policy(message: pb.RequestPolicy) -> RequestPolicy:
    """Return the policy in `message`; what a newer peer tells of is left at its default."""
    return RequestPolicy(
        body_defaults=message.body_defaults,
        body_overrides=message.body_overrides,
        system_prompt=message.system_prompt,
        position=_POSITIONS.get(message.system_prompt_position, Position.PREPEND),
        user_template=message.user_template,
        reasoning=_REASONING.get(message.reasoning),
        without_tools=message.without_tools,
    )


def policy_message(found: RequestPolicy) -> pb.RequestPolicy:
    """Return a policy as it is told."""
    return pb.RequestPolicy(
        body_defaults=found.body_defaults,
        body_overrides=found.body_overrides,
        system_prompt=found.system_prompt,
        system_prompt_position=_POSITION_VALUES[found.position],
        user_template=found.user_template,
        reasoning=_REASONING_VALUES[found.reasoning],
        without_tools=found.without_tools,
    )
