"""A role as it is written in a catalog: every field has an effect, or says what to do instead."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from control.api.policy_rules import around_input
from control.api.request_policy import Prompt, UserTemplate
from control.api.request_policy import RequestPolicy as WrittenPolicy
from control.api.settings import Guard
from control.inventory import Operation, Position, Reasoning, RequestPolicy
from control.ranking.roles import Role, RoutingPolicy
from control.rules.routing_config import StrategyName
from control.rules.waiting_config import PriorityWord

NOTHING = RequestPolicy()

# What has a meaning of its own before a name: see `control.ranking.offering`.
RESERVED_PREFIXES = ("asset/", "role/")


# A name that fits into a URL, a header and a metric as it is.
_ROLE_ID = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._:/@+-]*[A-Za-z0-9_])?")


def _role_id(text: str) -> str:
    if not _ROLE_ID.fullmatch(text):
        raise ValueError(
            "must be of A-Z a-z 0-9 _ . : / @ + -, and begin and end with a letter, a digit or _"
        )
    if ".." in text or "//" in text:
        raise ValueError("must not hold '..' or '//'")
    if text.startswith(RESERVED_PREFIXES):
        raise ValueError(f"must not begin with {' or '.join(map(repr, RESERVED_PREFIXES))}")
    return text


RoleId = Annotated[str, Field(max_length=200), AfterValidator(_role_id)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4_000)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Words = Annotated[tuple[Word, ...], Field(max_length=64)]
Class = Annotated[Word, StringConstraints(to_lower=True)]
Classes = Annotated[tuple[Class, ...], Field(max_length=64)]


def _refusing(value: object, why: str) -> AfterValidator:
    """Refuse `value`, which the first GenieHive knew and which cannot have an effect."""

    def check(given: object) -> object:
        if given == value:
            raise ValueError(why)
        return given

    return AfterValidator(check)


class Written(Guard):
    """A block of a catalog; a key without a value is as good as not written."""

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, block: Any) -> Any:
        if not isinstance(block, dict):
            return block
        return {key: value for key, value in block.items() if value is not None}


class RoutingSection(Written):
    """Who may serve a role, and who should."""

    preferred_families: Words = ()
    preferred_labels: Words = ()
    min_context: int = Field(default=0, ge=0, le=1 << 31)
    require_loaded: bool = False
    allow_employee_devices: bool = False
    allow_providers: bool = False
    allowed_trust_tiers: Classes = ()
    denied_trust_tiers: Classes = ()
    allowed_device_classes: Classes = ()
    denied_device_classes: Classes = ()
    allowed_workload_classes: Classes = ()
    denied_workload_classes: Classes = ()
    fallback_roles: Annotated[tuple[RoleId, ...], Field(max_length=64)] = ()
    guardrail_profile: Literal["none", "forge_proxy", "forge_middleware", "native_light"] = "none"
    tool_mode: Annotated[
        Literal["auto", "native", "prompt", "none"],
        _refusing(
            "prompt",
            "tools are not put into prompts here; write native, and let the services of the role"
            " be a proxy that does it, such as Forge",
        ),
    ] = "auto"
    force_respond_tool: Annotated[
        bool,
        _refusing(
            True,
            "no tool is added to requests here; leave it out, and let the services of the role"
            " be a proxy that does it, such as Forge",
        ),
    ] = False
    context_budget_mode: Annotated[
        Literal["auto", "upstream", "conservative"],
        _refusing(
            "conservative",
            "tokens are counted by engines only; write upstream, and min_context for what a"
            " request may need",
        ),
    ] = "auto"
    agentic_benchmark_workloads: Words = ()
    strategy: StrategyName | None = None
    priority: PriorityWord | None = None

    @property
    def routing(self) -> RoutingPolicy:
        """The same, for the pure code."""
        alike = {name: getattr(self, name) for name in RoutingPolicy.__dataclass_fields__}
        words = {"strategy": self.strategy or "", "priority": self.priority or ""}
        return RoutingPolicy(**{**alike, **words})


class PromptSection(Written):
    """How requests are shaped."""

    system_prompt: Prompt = ""
    user_template: UserTemplate = ""
    request_policy: WrittenPolicy = WrittenPolicy()

    @field_validator("request_policy")
    @classmethod
    def _one_prompt(cls, policy: WrittenPolicy, info: ValidationInfo) -> WrittenPolicy:
        prompt = info.data.get("system_prompt", "")
        if prompt and policy.system_prompt not in ("", prompt):
            raise ValueError(
                "its system_prompt and that of prompt_policy differ, and one is sent; leave one out"
            )
        if policy.system_prompt_position != "prepend" and not (prompt or policy.system_prompt):
            raise ValueError("system_prompt_position is that of a system_prompt; leave it out")
        return policy


class RoleSection(Written):
    """One entry of `roles`."""

    role_id: RoleId
    display_name: Name = ""
    description: Text = ""
    modality: Annotated[str, StringConstraints(strip_whitespace=True, max_length=63)] = ""
    operation: Operation
    prompt_policy: PromptSection = PromptSection()
    routing_policy: RoutingSection = RoutingSection()
    reasoning: Literal["strip", "pass"] | None = None

    @field_validator("prompt_policy")
    @classmethod
    def _prompts_are_for_chat(cls, prompts: PromptSection, info: ValidationInfo) -> PromptSection:
        given = {
            "system_prompt": prompts.system_prompt,
            "user_template": prompts.user_template,
            "request_policy.system_prompt": prompts.request_policy.system_prompt,
            "request_policy.reasoning": prompts.request_policy.reasoning,
        }
        for name, value in given.items():
            if value:
                _require_chat(name, info)
        return prompts

    @field_validator("reasoning")
    @classmethod
    def _one_word_about_reasoning(cls, reasoning: str | None, info: ValidationInfo) -> str | None:
        _require_chat("it", info)
        prompts = info.data.get("prompt_policy")
        if prompts is not None and prompts.request_policy.reasoning not in (None, reasoning):
            raise ValueError("prompt_policy.request_policy.reasoning says otherwise; leave one out")
        return reasoning

    @property
    def role(self) -> Role:
        """The same, for the pure code; nobody stands in for it yet."""
        policy = self._request_policy()
        return Role(
            role_id=self.role_id,
            operation=self.operation,
            display_name=self.display_name,
            description=self.description,
            modality=self.modality,
            routing=self.routing_policy.routing,
            request_policy=None if policy == NOTHING else policy,
        )

    def _request_policy(self) -> RequestPolicy:
        written = self.prompt_policy.request_policy
        prompt = self.prompt_policy.system_prompt or written.system_prompt
        template = self.prompt_policy.user_template
        reasoning = self.reasoning or written.reasoning
        return RequestPolicy(
            body_defaults=written.body_defaults,
            body_overrides=written.body_overrides,
            system_prompt=prompt,
            position=Position(written.system_prompt_position) if prompt else NOTHING.position,
            # Nothing stands around the input in most templates.
            user_template=template if template and any(around_input(template)) else "",
            reasoning=None if reasoning is None else Reasoning(reasoning),
            without_tools=(
                self.operation is Operation.CHAT and self.routing_policy.tool_mode == "none"
            ),
        )


def _require_chat(name: str, info: ValidationInfo) -> None:
    operation = info.data.get("operation", Operation.CHAT)
    if operation is not Operation.CHAT:
        raise ValueError(f"{name} is for chat only, and the role is for {operation}; leave it out")
