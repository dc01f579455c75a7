"""Request policies as people write them: of roles in control's YAML, of assets in a node's."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from control.api import policy_rules
from control.api.settings import Section


def _fields(value: object) -> str:
    text = policy_rules.json_of(value)
    policy_rules.check_length(text)
    return text


def _text(value: str) -> str:
    policy_rules.check_encoding(value)
    policy_rules.check_length(value)
    return value


def _template(value: str) -> str:
    if value:
        policy_rules.around_input(value)
    return value


# Written as a mapping, kept as a JSON object; "" when nothing is written.
Fields = Annotated[str, BeforeValidator(_fields)]
# A block of YAML ends with a line end, which nobody means to say.
Prompt = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_text)]
UserTemplate = Annotated[str, AfterValidator(_text), AfterValidator(_template)]


class RequestPolicy(Section):
    """How requests are shaped before a service sees them; what is left out changes nothing.

    body_defaults: sent where the caller sends none. body_overrides: sent whatever the
    caller sends. reasoning: None means as the gateway is configured.
    """

    body_defaults: Fields = ""
    body_overrides: Fields = ""
    system_prompt: Prompt = ""
    system_prompt_position: Literal["prepend", "append", "replace"] = "prepend"
    reasoning: Literal["strip", "pass"] | None = None
