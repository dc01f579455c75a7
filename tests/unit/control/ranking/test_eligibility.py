import pytest

from control.inventory import Asset, Endpoint, Host, Operation, Service
from control.ranking.eligibility import (
    OF_DIRECT_REQUESTS,
    OF_ROLES,
    concerning,
    gates,
    lent,
    refusal,
)
from control.ranking.roles import ANYBODY, RoutingPolicy
from control.ranking.subject import Subject
from control.ranking.traits import traits

TRUSTED = {"trust_tier": "trusted"}
LAPTOP = {"trust_tier": "employee_device"}


def asset(asset_id="m", **fields):
    return Asset(asset_id, (Operation.CHAT,), **fields)


def read(host_id="h", *, service=None, **host):
    fields = {"engine": "llamacpp", **(service or {})}
    return traits(
        Subject(
            Host(host_id, **host),
            Service(f"{host_id}/s", host_id, Endpoint("http", "127.0.0.1:1"), **fields),
        )
    )


ROWS = [
    # name of the gate that is shut or None, what the role wants, the host, the asset
    (None, {}, {}, {}),
    (None, {}, TRUSTED, {}),
    ("trust_tier", {}, LAPTOP, {}),
    ("trust_tier", {}, {"trust_tier": "personal_device"}, {}),
    ("trust_tier", {}, {"labels": {"trust_tier": "Employee_Device"}}, {}),
    (None, {}, {**TRUSTED, "labels": {"trust_tier": "employee_device"}}, {}),
    (None, {"allow_employee_devices": True}, LAPTOP, {}),
    (None, {"allowed_trust_tiers": ("employee_device",)}, LAPTOP, {}),
    (
        "trust_tier",
        {"allow_employee_devices": True, "allowed_trust_tiers": ("trusted",)},
        LAPTOP,
        {},
    ),
    (
        "trust_tier",
        {"allow_employee_devices": True, "denied_trust_tiers": ("employee_device",)},
        LAPTOP,
        {},
    ),
    ("trust_tier", {"allowed_trust_tiers": ("trusted",)}, {}, {}),
    (None, {"allowed_trust_tiers": ("trusted",)}, {"trust_tier": "Trusted"}, {}),
    ("trust_tier", {"denied_trust_tiers": ("trusted",)}, TRUSTED, {}),
    (None, {"denied_trust_tiers": ("trusted",)}, {}, {}),
    (
        "trust_tier",
        {"allowed_trust_tiers": ("trusted",), "denied_trust_tiers": ("trusted",)},
        TRUSTED,
        {},
    ),
    ("device_class", {"allowed_device_classes": ("server",)}, {}, {}),
    (None, {"allowed_device_classes": ("server",)}, {"device_class": "Server"}, {}),
    (None, {"allowed_device_classes": ("server",)}, {"labels": {"device_class": "server"}}, {}),
    ("device_class", {"denied_device_classes": ("phone",)}, {"device_class": "phone"}, {}),
    (None, {"denied_device_classes": ("phone",)}, {}, {}),
    ("workload_class", {"allowed_workload_classes": ("background",)}, {}, {}),
    (
        None,
        {"allowed_workload_classes": ("background",)},
        {"workload_classes": ("interactive", "Background")},
        {},
    ),
    (
        None,
        {"allowed_workload_classes": ("background",)},
        {"labels": {"workload_class": "background"}},
        {},
    ),
    (
        "workload_class",
        {"allowed_workload_classes": ("background",), "denied_workload_classes": ("batch",)},
        {"workload_classes": ("background", "batch")},
        {},
    ),
    (None, {"denied_workload_classes": ("batch",)}, {}, {}),
    (None, {"min_context": 8192}, {}, {}),
    ("min_context", {"min_context": 8192}, {}, {"context_tokens": 8191}),
    (None, {"min_context": 8192}, {}, {"context_tokens": 8192}),
    ("require_loaded", {"require_loaded": True}, {}, {}),
    (None, {"require_loaded": True}, {}, {"loaded": True}),
    (None, {"require_loaded": True}, {"service": {"loads_on_request": True}}, {}),
    ("provider", {}, {"host_id": "external-provider:x"}, {}),
    (None, {"allow_providers": True}, {"host_id": "external-provider:x"}, {}),
]


@pytest.mark.parametrize(("shut", "wants", "host", "has"), ROWS)
def test_the_gates_of_a_role(shut, wants, host, has):
    policy, found, model = RoutingPolicy(**wants), read(**host), asset(**has)
    rules = concerning(policy)

    assert refusal(rules, policy, found, model) == shut
    assert refusal(OF_ROLES, policy, found, model) == shut
    closed = [gate.name for gate in gates(rules, policy, found, model) if not gate.passed]
    assert closed == ([shut] if shut else [])


def test_a_detail_says_what_was_found_and_what_was_wanted():
    policy = RoutingPolicy(
        min_context=8192,
        require_loaded=True,
        allowed_trust_tiers=("trusted",),
        denied_device_classes=("phone", "tv"),
        denied_workload_classes=("batch",),
    )
    found = read(device_class="phone", workload_classes=("b", "a"))

    assert [gate.detail for gate in gates(concerning(policy), policy, found, asset())] == [
        "unknown; wanted: one of trusted",
        "phone; wanted: none of phone, tv",
        "a, b; wanted: none of batch",
        "local",
        "unknown; wanted: at least 8192 tokens",
        "not loaded",
    ]


@pytest.mark.parametrize(
    ("host", "answers"),
    [
        ({}, True),
        (TRUSTED, True),
        (LAPTOP, False),
        ({**LAPTOP, "service": {"direct_requests": True}}, True),
        ({"trust_tier": "Personal_Device"}, False),
    ],
)
def test_a_personal_device_is_asked_directly_only_if_it_says_so(host, answers):
    refused = refusal((OF_DIRECT_REQUESTS,), ANYBODY, read(**host), asset())

    assert refused == (None if answers else "direct_requests")


@pytest.mark.parametrize(
    ("families", "model", "is_lent"),
    [
        ((), asset("anything"), True),
        (("Qwen3",), asset("qwen3:14b"), True),
        (("qwen3",), asset("m", family="Qwen3-8B"), True),
        (("qwen3",), asset("llama"), False),
        (("llamacpp",), asset("qwen3"), True),
        (("h/s",), asset("qwen3"), True),
    ],
    ids=["all", "asset", "family", "another", "engine", "service"],
)
def test_an_owner_lends_models_by_family_or_service(families, model, is_lent):
    assert lent(read(allowed_model_families=families), model) == is_lent
