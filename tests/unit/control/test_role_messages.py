from dataclasses import fields

from geniehive.v1 import inventory_pb2 as inventory

from control.inventory import Operation, RequestPolicy
from control.ranking.roles import Role, RoutingPolicy
from control.role_messages import role_message

# Something else than the default in each field.
ROUTING = RoutingPolicy(
    preferred_families=("qwen3",),
    preferred_labels=("gpu",),
    min_context=8_192,
    require_loaded=True,
    allow_employee_devices=True,
    allow_providers=True,
    allowed_trust_tiers=("trusted",),
    denied_trust_tiers=("none",),
    allowed_device_classes=("workstation",),
    denied_device_classes=("phone",),
    allowed_workload_classes=("background",),
    denied_workload_classes=("batch",),
    fallback_roles=("helper",),
    guardrail_profile="forge_proxy",
    agentic_benchmark_workloads=("chat.short_reasoning",),
    strategy="scored",
    priority="low",
)


def test_all_that_is_written_about_routing_is_told():
    message = role_message(Role("chat", Operation.CHAT, routing=ROUTING)).routing_policy

    for field in fields(RoutingPolicy):
        written, told = getattr(ROUTING, field.name), getattr(message, field.name)
        assert written != getattr(RoutingPolicy(), field.name)
        assert written == (tuple(told) if isinstance(written, tuple) else told)
    assert len(message.DESCRIPTOR.fields) == len(fields(RoutingPolicy))


def test_a_role_is_told_as_it_was_written():
    role = Role(
        "chat",
        Operation.EMBEDDINGS,
        display_name="Chat",
        description="talks",
        modality="text",
        request_policy=RequestPolicy(body_defaults='{"seed": 7}'),
    )
    message = role_message(role)

    assert (message.role_id, message.display_name) == ("chat", "Chat")
    assert (message.description, message.modality) == ("talks", "text")
    assert message.operation == inventory.OPERATION_EMBEDDINGS
    assert message.request_policy.body_defaults == '{"seed": 7}'
    assert not role_message(Role("plain", Operation.CHAT)).HasField("request_policy")
