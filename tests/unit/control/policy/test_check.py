"""What a node tells as a policy is taken only if a gateway can apply it."""

import pytest

from control.inventory import RequestPolicy
from control.policy.check import refusal

LONG = "x" * ((64 << 10) + 1)


@pytest.mark.parametrize(
    "policy",
    [
        RequestPolicy(),
        RequestPolicy('{"temperature":0.2}', '{"x":{"y":[null]}}', "prompt\n", without_tools=True),
        RequestPolicy(user_template="{{7*7}} {{ user_input }}"),
        RequestPolicy(body_defaults="{}"),
    ],
)
def test_what_can_be_applied_is_taken(policy):
    assert refusal(policy) is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"body_defaults": "[]"}, "body_defaults: a mapping of fields is expected"),
        ({"body_defaults": "{"}, "body_defaults: not JSON"),
        ({"body_overrides": '{"model":"m"}'}, "body_overrides: 'model' cannot be set"),
        ({"body_overrides": '{"x":Infinity}'}, "body_overrides: x: inf is not finite"),
        ({"body_overrides": f'{{"x":"{LONG}"}}'}, "body_overrides: longer than 64 KiB"),
        ({"body_defaults": "[" * 50_000}, "body_defaults: nested deeper"),
        ({"system_prompt": LONG}, "system_prompt: longer than 64 KiB"),
        ({"system_prompt": "\udc00"}, "system_prompt: holds U+DC00"),
        ({"user_template": "{{7*7}}"}, "user_template: {{ user_input }} must stand there once"),
        ({"user_template": "{{ user_input }}" + LONG}, "user_template: longer"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_is_refused_by_its_field(fields, said):
    assert (refusal(RequestPolicy(**fields)) or "").startswith(said)
