"""Whether a request policy that a node tells can be used. Pure."""

from control.api.policy_rules import around_input, check_encoding, check_length, fields_of
from control.inventory import RequestPolicy


def refusal(policy: RequestPolicy) -> str | None:
    """Return why `policy` cannot be used, naming the field, or None."""
    for name in ("body_defaults", "body_overrides", "system_prompt", "user_template"):
        text = getattr(policy, name)
        try:
            check_encoding(text)
            check_length(text)
            if name.startswith("body_"):
                fields_of(text)
            elif name == "user_template" and text:
                around_input(text)
        except ValueError as error:
            return f"{name}: {error}"
    return None
