import math

import pytest

from control.admission import MAX_ASSETS, MAX_SERVICES, check_registration, service_refusal
from control.api.errors import InvalidValue
from control.inventory import Contribution, Endpoint, Locator, RequestPolicy, Resources
from tests.unit.control.builders import asset, host, service


@pytest.mark.parametrize("host_id", ["a", "gpu-1", "GPU_1.lan", "9", "x" * 63])
def test_a_plain_host_is_accepted(host_id):
    check_registration(host(host_id), "i", [service(f"{host_id}/ollama")])


@pytest.mark.parametrize(
    "host_id",
    ["", "x" * 64, "x" * 300, "a/b", "..", ".a", "-a", "a b", "a\0", "a\n", "é", "🐝", "a:b"],
)
def test_an_odd_host_id_is_refused(host_id):
    with pytest.raises(InvalidValue, match="host_id"):
        check_registration(host(host_id), "i", [])


@pytest.mark.parametrize(
    "host_id", ["provider", "external-provider", "external-provider:openai", "external-providers"]
)
def test_ids_of_external_providers_are_reserved(host_id):
    with pytest.raises(InvalidValue, match="reserved"):
        check_registration(host(host_id), "i", [])


@pytest.mark.parametrize(
    "fields",
    [
        {"display_name": "x" * 201},
        {"display_name": "\x1b[2J"},
        {"display_name": "a\u202eb"},
        {"address": "a\nb"},
        {"labels": {f"k{n}": "v" for n in range(65)}},
        {"labels": {"": "v"}},
        {"labels": {"k" * 64: "v"}},
        {"labels": {"k": "v" * 201}},
        {"labels": {"k\0": "v"}},
        {"capabilities": {f"k{n}": True for n in range(65)}},
        {"capabilities": {"k\r": True}},
        {"trust_tier": "x" * 64},
        {"trust_tier": "a\x1b"},
        {"device_class": "x" * 64},
        {"workload_classes": tuple(f"c{n}" for n in range(65))},
        {"workload_classes": ("",)},
        {"allowed_model_families": ("x" * 201,)},
        {"allowed_model_families": ("a\n",)},
        {"resources": Resources(cpu_threads=-1)},
        {"resources": Resources(memory_bytes=-1)},
        {"contribution": Contribution(thermal_ceiling_celsius=math.nan)},
        {"contribution": Contribution(thermal_ceiling_celsius=-math.inf)},
        {"contribution": Contribution(max_memory_bytes=-1)},
    ],
    ids=str,
)
def test_an_odd_host_is_refused(fields):
    with pytest.raises(InvalidValue):
        check_registration(host(**fields), "i", [])


@pytest.mark.parametrize("instance_id", ["", "x" * 65, "a b", "a\n"])
def test_an_odd_instance_id_is_refused(instance_id):
    with pytest.raises(InvalidValue, match="instance_id"):
        check_registration(host(), instance_id, [])


@pytest.mark.parametrize(
    "service_id",
    ["", "h1", "h1/", "h2/s", "h11/s", "h1//s", "h1/../s", "h1/s/", "h1/a b", "h1/é", "h1/s\n"],
)
def test_an_empty_foreign_or_odd_service_id_is_refused(service_id):
    with pytest.raises(InvalidValue, match="service_id"):
        check_registration(host("h1"), "i", [service(service_id)])


def test_a_service_id_has_at_most_200_characters():
    assert service_refusal(service("h1/" + "x" * 197), "h1") is None
    assert service_refusal(service("h1/" + "x" * 198), "h1") is not None


def test_a_duplicate_service_is_refused():
    with pytest.raises(InvalidValue, match="twice"):
        check_registration(host(), "i", [service("h1/a"), service("h1/b"), service("h1/a")])


def test_10_000_services_are_refused():
    with pytest.raises(InvalidValue, match="10000 services are more than 1000"):
        check_registration(host(), "i", [service(f"h1/{n}") for n in range(10_000)])


def test_the_limits_themselves_are_accepted():
    each = MAX_ASSETS // MAX_SERVICES
    assets = tuple(asset(f"m{n}") for n in range(each))

    check_registration(host(), "i", [service(f"h1/{n}", *assets) for n in range(MAX_SERVICES)])


def test_too_many_assets_are_refused():
    assets = tuple(asset(f"m{n}") for n in range(MAX_ASSETS + 1))
    with pytest.raises(InvalidValue, match="assets are more than"):
        check_registration(host(), "i", [service("h1/s", *assets)])


@pytest.mark.parametrize(
    "broken",
    [
        service(engine="x\x07"),
        service(concurrency=-1),
        service(concurrency=2**31 - 1),
        service(revision=-1),
        service(endpoint=Endpoint("http", "169.254.169.254:80")),
        service("h1/s", asset("")),
        service("h1/s", asset(" m")),
        service("h1/s", asset("m" * 201)),
        service("h1/s", asset("a\u202eb")),
        service("h1/s", asset("m", ())),
        service("h1/s", asset("m", context_tokens=-1)),
        service("h1/s", asset("m"), asset("m")),
    ],
    ids=lambda s: f"{s.engine!r}-{s.concurrency}-{s.revision}-{s.endpoint.address}-{s.assets}"[:80],
)
def test_an_odd_service_is_refused_with_its_name(broken):
    assert "h1/s" in (service_refusal(broken, "h1") or "")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"family": "x" * 201}, "family is longer than 200"),
        ({"modality": "a\x1b"}, "modality holds"),
        ({"format": "x" * 201}, "format is longer"),
        ({"digest": "x" * 201}, "digest is longer"),
        ({"labels": ("x" * 201,)}, "labels is longer"),
        ({"labels": ("",)}, "labels is empty"),
        ({"labels": tuple(map(str, range(65)))}, "65 labels are more than 64"),
        ({"capabilities": ("a",) * 65}, "65 capabilities are more than 64"),
        ({"capabilities": ("",)}, "one of capabilities is empty"),
        ({"capabilities": ("a\n",)}, "capabilities holds the control character U+000A"),
        ({"size_bytes": -1}, "size_bytes is negative"),
        ({"metadata": {str(n): "" for n in range(65)}}, "65 metadata are more than 64"),
        ({"metadata": {"": "x"}}, "a key of metadata"),
        ({"metadata": {"k": "x" * 201}}, "metadata is longer"),
        ({"locator": Locator("", "/m")}, "locator has no kind"),
        ({"locator": Locator("path", "")}, "locator has no kind or no value"),
        ({"locator": Locator("path", "/" + "x" * 4096)}, "locator.value is longer than 4096"),
        ({"request_policy": RequestPolicy("[1]")}, "request_policy.body_defaults: "),
        ({"request_policy": RequestPolicy('{"a": NaN}')}, "request_policy.body_defaults: "),
        ({"request_policy": RequestPolicy('{"model": "m"}')}, "'model' cannot be set"),
        ({"request_policy": RequestPolicy("", "{")}, "request_policy.body_overrides: not JSON"),
        ({"request_policy": RequestPolicy("", "[" * 60_000)}, "request_policy.body_overrides: "),
        (
            {"request_policy": RequestPolicy(system_prompt="x" * 65_537)},
            "request_policy.system_prompt: ",
        ),
        ({"request_policy": RequestPolicy(user_template="none")}, "request_policy.user_template: "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_odd_description_of_an_asset_is_refused_with_its_name(fields, said):
    reason = service_refusal(service("h1/s", asset("m", **fields)), "h1")

    assert reason is not None
    assert reason.startswith("h1/s: asset 'm': ")
    assert said in reason


def test_a_well_described_asset_is_accepted():
    described = asset(
        family="Qwen3-8B",
        labels=("coding",),
        request_policy=RequestPolicy('{"top_p": 0.9}', system_prompt="be\nbrief"),
        modality="text",
        format="gguf",
        locator=Locator("path", "/models/" + "x" * 1_000),
        metadata={"quant": "Q4_K_M"},
        digest="sha256:" + "0" * 64,
    )

    assert service_refusal(service("h1/s", described), "h1") is None


def test_what_describes_the_assets_of_a_host_is_bounded():
    """By bytes, and over all of its services: gateways hold what control holds."""
    policy = RequestPolicy(system_prompt="é" * 30_000)
    services = [service(f"h1/{n}", asset(request_policy=policy)) for n in range(18)]
    check_registration(host("h1"), "i", services[:17])

    with pytest.raises(InvalidValue, match="1080000 bytes that describe assets are more than"):
        check_registration(host("h1"), "i", services)


@pytest.mark.parametrize("name", ["qwen3:14b", "org/Model-7B", "a model with spaces", "模型"])
def test_an_asset_keeps_the_name_that_its_engine_gave_it(name):
    assert service_refusal(service("h1/s", asset(name)), "h1") is None


@pytest.mark.parametrize("key", ["a b", "a\r\nx: y", "é", "\x00", "x" * 513], ids=ascii)
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key):
    refusal = service_refusal(service("h1/s", needs_key=True, api_key=key), "h1")

    assert refusal is not None
    assert refusal.startswith("h1/s: api_key")
    assert key not in refusal
