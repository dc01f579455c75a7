"""Every field of a role: the effect it has, or the reason why it is refused."""

import dataclasses

import pytest

from control.api.settings import SettingsError, validate
from control.inventory import Operation, Position, Reasoning, RequestPolicy
from control.ranking.roles import ANYBODY, Role, RoutingPolicy
from control.rules.role_section import PromptSection, RoleSection, RoutingSection


def read(document):
    section, warnings = validate(document, {(): 7}, RoleSection, name="roles.yaml")
    assert warnings == []
    return section.role


def role(**fields):
    return read({"role_id": "mentor", "operation": "chat", **fields})


def problem(**fields):
    with pytest.raises(SettingsError) as caught:
        role(**fields)
    (line,) = caught.value.problems
    return line


PLAIN = Role("mentor", Operation.CHAT)

# Field: (what is written, what it means).
ROUTING = {
    "preferred_families": (["Qwen3", "Mistral"], ("Qwen3", "Mistral")),
    "preferred_labels": ([" stable "], ("stable",)),
    "min_context": (8192, 8192),
    "require_loaded": (True, True),
    "allow_employee_devices": (True, True),
    "allow_providers": (True, True),
    "allowed_trust_tiers": (["Core"], ("core",)),
    "denied_trust_tiers": (["GUEST"], ("guest",)),
    "allowed_device_classes": (["Workstation"], ("workstation",)),
    "denied_device_classes": (["Laptop"], ("laptop",)),
    "allowed_workload_classes": (["Interactive"], ("interactive",)),
    "denied_workload_classes": (["Batch"], ("batch",)),
    "fallback_roles": (["general_assistant"], ("general_assistant",)),
    "guardrail_profile": ("forge_proxy", "forge_proxy"),
    "agentic_benchmark_workloads": (["agentic.tools"], ("agentic.tools",)),
    "strategy": ("round_robin", "round_robin"),
    "priority": ("low", "low"),
}

# Field: a value that changes nothing, because it is what happens anyway.
AS_IT_IS = {
    "tool_mode": ["auto", "native"],
    "force_respond_tool": [False],
    "context_budget_mode": ["auto", "upstream"],
}


def test_every_field_of_the_routing_policy_is_in_these_tables():
    assert set(RoutingSection.model_fields) == set(ROUTING) | set(AS_IT_IS)
    assert {field.name for field in dataclasses.fields(RoutingPolicy)} == set(ROUTING)
    assert {*RoleSection.model_fields} == {
        *("role_id", "display_name", "description", "modality", "operation"),
        *("prompt_policy", "routing_policy", "reasoning"),
    }
    assert {*PromptSection.model_fields} == {"system_prompt", "user_template", "request_policy"}


@pytest.mark.parametrize("field", ROUTING)
def test_a_field_of_the_routing_policy_has_its_effect(field):
    written, meant = ROUTING[field]

    assert role(routing_policy={field: written}).routing == dataclasses.replace(
        ANYBODY, **{field: meant}
    )


@pytest.mark.parametrize(("field", "values"), AS_IT_IS.items())
def test_what_happens_anyway_may_be_said(field, values):
    for value in values:
        assert role(routing_policy={field: value}) == PLAIN


@pytest.mark.parametrize(
    ("field", "value", "instead"),
    [
        ("tool_mode", "prompt", "such as Forge"),
        ("force_respond_tool", True, "such as Forge"),
        ("context_budget_mode", "conservative", "write upstream"),
        ("guardrail_profile", "forge", "'none', 'forge_proxy', 'forge_middleware'"),
        ("strategy", "least_load", "no strategy 'least_load'; nearest: least_loaded"),
        ("strategy", "fastest", "no strategy 'fastest'; there are scored, round_robin"),
        ("priority", "hihg", "no priority 'hihg'; nearest: high; there are low, normal, high"),
        ("priority", "urgent", "no priority 'urgent'; there are low, normal, high"),
        ("priority", "High", "no priority 'High'; nearest: high"),
        ("priority", "x" * 10_000, f"no priority '{'x' * 100}'; there are"),
        ("priority", 3, "input should be 'low', 'normal' or 'high'"),
        ("priority", True, "use quotes"),
        ("priority", ["low"], "input should be 'low', 'normal' or 'high'"),
        ("min_context", -1, "greater than or equal to 0"),
        ("min_context", "a lot", "valid integer"),
        ("min_context", True, "yes, no, on, off, true and false are no text and no number"),
        ("require_loaded", "maybe", "valid boolean"),
        ("preferred_families", "qwen3", "a list is expected"),
        ("preferred_families", [""], "at least 1 character"),
        ("preferred_families", [8], "valid string; put it in quotes"),
        ("preferred_families", ["x"] * 65, "at most 64"),
        ("fallback_roles", ["no such name"], "must be of A-Z a-z 0-9 _ . : / @ + -"),
        ("denied_trust_tier", ["x"], "nearest: denied_trust_tiers"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(field, value, instead):
    line = problem(routing_policy={field: value})

    assert line.startswith("roles.yaml:7: ")
    assert f"routing_policy.{field}" in line
    assert instead in line


def test_a_role_tells_people_what_it_is():
    found = role(display_name="Mentor", description="guides\n", modality="text")

    assert found == dataclasses.replace(
        PLAIN, display_name="Mentor", description="guides", modality="text"
    )


def test_prompts_become_a_request_policy():
    found = role(
        prompt_policy={
            "system_prompt": "Guide.\n",
            "user_template": "Asked: {{user_input}} {{7*7}}",
            "request_policy": {
                "body_defaults": {"temperature": 0.2},
                "body_overrides": {"n": 1},
                "system_prompt_position": "append",
            },
        },
        routing_policy={"tool_mode": "none"},
        reasoning="pass",
    )

    assert found.request_policy == RequestPolicy(
        body_defaults='{"temperature":0.2}',
        body_overrides='{"n":1}',
        system_prompt="Guide.",
        position=Position.APPEND,
        user_template="Asked: {{user_input}} {{7*7}}",
        reasoning=Reasoning.PASS,
        without_tools=True,
    )


def test_a_prompt_may_stand_in_either_place_or_alike_in_both():
    of_role, of_policy = {"system_prompt": "a"}, {"request_policy": {"system_prompt": "a"}}

    found = [role(prompt_policy=one) for one in (of_role, of_policy, {**of_role, **of_policy})]

    assert {one.request_policy for one in found} == {RequestPolicy(system_prompt="a")}


@pytest.mark.parametrize("template", ["{{ user_input }}", "{{user_input}}", "", None])
def test_a_template_of_the_input_alone_changes_nothing(template):
    assert role(prompt_policy={"user_template": template}) == PLAIN


def test_a_key_without_a_value_is_as_if_not_written():
    assert (
        role(
            display_name=None,
            prompt_policy={"system_prompt": None, "user_template": None, "request_policy": None},
            routing_policy={"min_context": None, "guardrail_profile": None, "fallback_roles": None},
        )
        == PLAIN
    )
    assert role(prompt_policy=None, routing_policy=None) == PLAIN


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ({"user_template": "{{7*7}}"}, "must stand there once, not 0 times"),
        ({"user_template": "hello"}, "must stand there once, not 0 times"),
        ({"user_template": "{{ user_input }}{{user_input}}"}, "must stand there once, not 2 times"),
        ({"user_template": ["{{ user_input }}"]}, "user_template: input should be a valid string"),
        (
            {"system_prompt": "a", "request_policy": {"system_prompt": "b"}},
            "request_policy: its system_prompt and that of prompt_policy differ",
        ),
        (
            {"request_policy": {"system_prompt_position": "append"}},
            "request_policy: system_prompt_position is that of a system_prompt",
        ),
        ({"request_policy": {"body_defaults": {"model": "x"}}}, "'model' cannot be set"),
        ({"request_policy": {"body_defaults": {"top_p": float("nan")}}}, "top_p: nan is not fin"),
        ({"request_policy": {"body_default": {}}}, "nearest: body_defaults"),
        ({"system_promt": "a"}, "unknown key prompt_policy.system_promt; nearest: system_prompt"),
        ("be kind", "prompt_policy: a mapping of keys is expected"),
    ],
)
def test_prompts_that_cannot_be_applied_are_refused(prompts, said):
    assert said in problem(prompt_policy=prompts)


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt_policy": {"system_prompt": "a"}},
        {"prompt_policy": {"user_template": "a {{ user_input }}"}},
        {"prompt_policy": {"request_policy": {"system_prompt": "a"}}},
        {"prompt_policy": {"request_policy": {"reasoning": "pass"}}},
        {"reasoning": "strip"},
    ],
)
def test_what_is_for_chat_only_is_refused_elsewhere(fields):
    line = problem(operation="embeddings", **fields)

    assert "for chat only, and the role is for embeddings; leave it out" in line


def test_other_operations_have_no_tools_to_leave_out():
    found = role(operation="embeddings", routing_policy={"tool_mode": "none"})

    assert found == dataclasses.replace(PLAIN, operation=Operation.EMBEDDINGS)


def test_two_words_about_reasoning_are_one_too_many():
    same = {"request_policy": {"reasoning": "pass"}}

    assert role(reasoning="pass", prompt_policy=same) == role(prompt_policy=same)
    assert "says otherwise" in problem(reasoning="strip", prompt_policy=same)


@pytest.mark.parametrize(
    "role_id", ["a", "mentor", "surg_editor", "v1.5:8b", "team/qa-1", "A" * 200]
)
def test_role_ids_are_names_that_clients_can_send(role_id):
    assert role(role_id=role_id).role_id == role_id


@pytest.mark.parametrize(
    ("role_id", "said"),
    [
        ("", "must be of A-Z a-z 0-9 _ . : / @ + -"),
        ("two words", "must be of A-Z a-z 0-9 _ . : / @ + -"),
        ("a\n", "must be of A-Z a-z 0-9 _ . : / @ + -"),
        ("a\x00b", "the character 0 is not allowed"),
        ("/a", "must be of A-Z a-z 0-9 _ . : / @ + -"),
        ("a/", "must be of A-Z a-z 0-9 _ . : / @ + -"),
        ("Ünï", "must be of A-Z a-z 0-9 _ . : / @ + -"),
        ("a/../b", "must not hold '..' or '//'"),
        ("a//b", "must not hold '..' or '//'"),
        ("asset/a", "must not begin with 'asset/'"),
        ("role/a", "must not begin with 'asset/' or 'role/'"),
        ("a" * 201, "at most 200"),
        (5, "put it in quotes"),
        (False, "use quotes"),
    ],
)
def test_role_ids_that_nobody_could_ask_for_are_refused(role_id, said):
    assert said in problem(role_id=role_id)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"operation": "chat"}, "role_id: field required"),
        ({"role_id": "a"}, "operation: field required"),
        ({"role_id": "a", "operation": "chatt"}, "'chat', 'embeddings' or 'transcription'"),
        ({"role_id": "a", "operation": "chat", "modality": "x" * 64}, "at most 63"),
        ({"role_id": "a", "operation": "chat", "modalty": "x"}, "nearest: modality"),
        # Where the first GenieHive's own catalogs have it.
        ({"role_id": "a", "system_prompt": "x"}, "nearest: prompt_policy.system_prompt"),
        ({"role_id": "a", "request_policy": {}}, "nearest: prompt_policy.request_policy"),
        ({"role_id": "a", "min_context": 9}, "nearest: routing_policy.min_context"),
        (5, "a mapping of keys is expected, not a int"),
    ],
)
def test_what_is_no_role_is_refused(document, said):
    with pytest.raises(SettingsError) as caught:
        read(document)

    assert said in str(caught.value)
    assert "roles.yaml:7" in str(caught.value)
