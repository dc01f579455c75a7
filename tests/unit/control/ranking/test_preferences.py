from itertools import product

import pytest

from control.inventory import Asset, Endpoint, Host, Operation, Service
from control.ranking.preferences import (
    asset_labels,
    family_rank,
    has_guardrails,
    host_labels,
    of_family,
    tier,
)


def asset(asset_id="m", **fields):
    return Asset(asset_id, (Operation.CHAT,), **fields)


def service(service_id="h/s", engine="", address="127.0.0.1:1", base_path=""):
    return Service(service_id, "h", Endpoint("http", address, base_path), engine)


@pytest.mark.parametrize(
    ("asset_id", "family", "wanted", "fits"),
    [
        ("qwen3:14b", "", "qwen3", True),
        ("Qwen/Qwen3-8B", "", "qwen3", True),
        ("m.gguf", "Qwen3-8B", "qwen3", True),
        ("m.gguf", "Qwen/Qwen3-8B", "qwen3", True),
        ("mistralai/Mixtral-8x7B", "", "mistral", False),
        ("m.gguf", "mistralai/Mixtral-8x7B", "mistral", False),
        ("Qwen/Qwen3-8B", "", "qwen/qwen3", True),
        ("other/Qwen3-8B", "", "qwen/qwen3", False),
        ("abc", "def", "cd", False),
        ("llama3", "", "qwen3", False),
    ],
)
def test_a_family_is_part_of_a_name_and_a_vendor_is_not(asset_id, family, wanted, fits):
    assert of_family(asset(asset_id, family=family), wanted) == fits


def test_the_first_preferred_family_that_fits_counts():
    assert family_rank(("qwen3", "mistral"), {"mistral", "qwen3"}) == 0
    assert family_rank(("qwen3", "mistral"), {"mistral"}) == 1
    assert family_rank(("qwen3", "mistral"), set()) == 2
    assert family_rank((), set()) == 0


def test_labels_are_keys_values_pairs_tiers_and_classes():
    host = Host(
        "h",
        labels={"GPU": "A100"},
        trust_tier="Trusted",
        device_class="workstation",
        workload_classes=("Background",),
    )

    assert host_labels(host) == {
        *("gpu", "a100", "gpu=a100", "trusted", "workstation", "background")
    }
    assert host_labels(Host("h")) == set()
    assert asset_labels(asset(labels=("Fast", "fast", "code"))) == {"fast", "code"}
    assert asset_labels(asset(labels=("fast",), capabilities=("Vision",))) == {"fast", "vision"}


@pytest.mark.parametrize(
    ("fields", "profiles"),
    [
        ({}, {"native_light"}),
        ({"service_id": "h/Forge"}, {"native_light", "forge_proxy", "forge_middleware"}),
        ({"engine": "forge"}, {"native_light", "forge_proxy", "forge_middleware"}),
        ({"address": "forge.lan:80"}, {"native_light", "forge_proxy", "forge_middleware"}),
        ({"base_path": "/guardrails"}, {"native_light", "forge_middleware"}),
    ],
    ids=["plain", "service", "engine", "address", "path"],
)
def test_who_keeps_which_guardrail_profile(fields, profiles):
    known = ("none", "", "native_light", "forge_proxy", "forge_middleware", "other")

    assert {one for one in known if has_guardrails(one, service(**fields))} == profiles


def test_what_comes_first_in_a_tier_decides_whatever_follows():
    """Every combination, sorted by tier, is sorted by its parts as they stand."""
    parts = list(product((False, True), range(3), range(4), (False, True), (False, True)))

    tiers = [
        tier(unguarded=a, family=(b, 2), missing=(c, 3), remote=d, cold=e)
        for a, b, c, d, e in parts
    ]

    assert tiers == list(range(len(parts)))
