"""What a node may register: the rules for hosts and services, each with its reason."""

import re
from collections.abc import Iterable, Iterator, Sequence

from control import endpoints
from control.api.auth import KEY, MAX_KEY_CHARACTERS
from control.api.errors import InvalidValue
from control.inventory import Asset, Contribution, Host, Service
from control.policy import check
from control.text import unprintable

MAX_SERVICES = 1_000
MAX_ASSETS = 10_000
MAX_PAIRS = 64  # labels, capabilities, classes, metadata
MAX_TEXT = 200
MAX_KEY = 63
MAX_INSTANCE_ID = 64
MAX_CONCURRENCY = 1_000_000
MAX_CELSIUS = 1_000.0
MAX_PLACE = 4_096  # a path of the longest kind
# Bytes that describe the assets of a host, policies above all: gateways hold these, too,
# and to check so many takes 80 ms at worst.
MAX_DESCRIPTION = 1 << 20

_HOST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SERVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._:@+-]*)+")
_INSTANCE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def check_registration(host: Host, instance_id: str, services: Sequence[Service]) -> None:
    """Check what a node wants to register, whole.

    Raises:
        InvalidValue: names the first thing that is refused, and why.
    """
    reason = host_refusal(host)
    if reason is None and not _INSTANCE_ID.fullmatch(instance_id):
        reason = f"instance_id is not 1 to {MAX_INSTANCE_ID} of letters, digits and ._-"
    if reason is None:
        reason = _services_refusal(host.host_id, services)
    if reason is not None:
        raise InvalidValue(reason)


def host_refusal(host: Host) -> str | None:
    """Return why `host` may not be registered, or None."""
    host_id = host.host_id
    # Control itself will own what external providers offer.
    if host_id == "provider" or host_id.startswith("external-provider"):
        return f"host_id {host_id[:MAX_TEXT]!r} is reserved for external providers"
    if not _HOST_ID.fullmatch(host_id):
        return (
            f"host_id {host_id[:MAX_TEXT]!r} is not 1 to 63 of letters, digits and ._-,"
            " starting with a letter or digit"
        )
    texts = {"display_name": host.display_name, "address": host.address}
    for name, text in texts.items():
        if reason := _text_refusal(name, text):
            return reason
    for name, text in {"trust_tier": host.trust_tier, "device_class": host.device_class}.items():
        if reason := _text_refusal(name, text, MAX_KEY):
            return reason
    if host.resources.cpu_threads < 0 or host.resources.memory_bytes < 0:
        return "resources are negative"
    if reason := _contribution_refusal(host.contribution):
        return f"contribution: {reason}"
    return (
        _pairs_refusal("labels", host.labels)
        or _pairs_refusal("capabilities", dict.fromkeys(host.capabilities, ""))
        or _words_refusal("workload_classes", host.workload_classes)
        or _words_refusal("allowed_model_families", host.allowed_model_families)
    )


def _contribution_refusal(told: Contribution) -> str | None:
    ceiling, most = told.thermal_ceiling_celsius, told.max_memory_bytes
    # NaN is not equal to itself: a host that has it would be another one at each look.
    if ceiling is not None and not -MAX_CELSIUS <= ceiling <= MAX_CELSIUS:
        return f"thermal_ceiling_celsius {ceiling} is not within {MAX_CELSIUS}"
    if most is not None and most < 0:
        return f"max_memory_bytes {most} is negative"
    return None


def service_refusal(service: Service, host_id: str) -> str | None:
    """Return why `host_id` may not offer `service`, or None."""
    service_id = service.service_id
    if not service_id.startswith(f"{host_id}/"):
        return f"service_id {service_id[:MAX_TEXT]!r} does not start with {host_id + '/'!r}"
    if len(service_id) > MAX_TEXT or not _SERVICE_ID.fullmatch(service_id):
        return f"service_id {service_id[:MAX_TEXT]!r} is not a plain id of at most {MAX_TEXT}"
    for name, text in {"engine": service.engine, "engine_version": service.engine_version}.items():
        if reason := _text_refusal(name, text):
            return f"{service_id}: {reason}"
    if not 0 <= service.concurrency <= MAX_CONCURRENCY:
        return f"{service_id}: concurrency {service.concurrency} is not 0 to {MAX_CONCURRENCY}"
    if service.revision < 0:
        return f"{service_id}: revision {service.revision} is negative"
    if service.api_key and not KEY.fullmatch(service.api_key):
        return f"{service_id}: api_key is not 1 to {MAX_KEY_CHARACTERS} visible ASCII characters"
    if reason := endpoints.refusal(service.endpoint) or _assets_refusal(service.assets):
        return f"{service_id}: {reason}"
    return None


def _services_refusal(host_id: str, services: Sequence[Service]) -> str | None:
    # 1. Sizes, so that nothing below is slow.
    if len(services) > MAX_SERVICES:
        return f"{len(services)} services are more than {MAX_SERVICES}"
    if (count := asset_count(services)) > MAX_ASSETS:
        return f"{count} assets are more than {MAX_ASSETS}"
    if (size := description_size(services)) > MAX_DESCRIPTION:
        return f"{size} bytes that describe assets are more than {MAX_DESCRIPTION}"
    # 2. Each service, 3. and that each is there once.
    for service in services:
        if reason := service_refusal(service, host_id):
            return reason
    repeated = _first_repeated(service.service_id for service in services)
    return f"service_id {repeated!r} is registered twice" if repeated else None


def asset_count(services: Iterable[Service]) -> int:
    """Return how many assets `services` hold together."""
    return sum(len(service.assets) for service in services)


def description_size(services: Iterable[Service]) -> int:
    """Return how many bytes describe the assets of `services`: policies, labels, metadata, ..."""
    return sum(
        len(text.encode())
        for service in services
        for asset in service.assets
        for text in _description(asset)
    )


def _description(asset: Asset) -> Iterator[str]:
    yield from (asset.family, asset.modality, asset.format, asset.digest)
    yield from asset.labels
    yield from asset.capabilities
    yield from asset.metadata
    yield from asset.metadata.values()
    if asset.locator is not None:
        yield from (asset.locator.kind, asset.locator.value)
    if (policy := asset.request_policy) is not None:
        yield from (policy.body_defaults, policy.body_overrides)
        yield from (policy.system_prompt, policy.user_template)


def _assets_refusal(assets: Sequence[Asset]) -> str | None:
    for asset in assets:
        name = asset.asset_id
        if not name or name != name.strip():
            return f"asset_id {name[:MAX_TEXT]!r} is empty or has space around it"
        if reason := _text_refusal("asset_id", name):
            return reason
        if not asset.operations:
            return f"asset {name!r} names no operation"
        if asset.context_tokens < 0:
            return f"asset {name!r} has negative context_tokens"
        if reason := _description_refusal(asset):
            return f"asset {name!r}: {reason}"
    repeated = _first_repeated(asset.asset_id for asset in assets)
    return f"asset_id {repeated!r} is there twice" if repeated else None


def _description_refusal(asset: Asset) -> str | None:
    locator = asset.locator
    if asset.size_bytes < 0:
        return "size_bytes is negative"
    if locator is not None and not (locator.kind and locator.value):
        return "locator has no kind or no value"
    texts = {
        "family": asset.family,
        "modality": asset.modality,
        "format": asset.format,
        "digest": asset.digest,
        "locator.kind": locator.kind if locator else "",
    }
    for name, text in texts.items():
        if text and (reason := _text_refusal(name, text)):
            return reason
    policy = asset.request_policy
    if policy is not None and (reason := check.refusal(policy)):
        return f"request_policy.{reason}"
    return (
        (_text_refusal("locator.value", locator.value, MAX_PLACE) if locator else None)
        or _words_refusal("labels", asset.labels)
        or _words_refusal("capabilities", asset.capabilities)
        or _pairs_refusal("metadata", asset.metadata)
    )


def _words_refusal(name: str, words: Sequence[str]) -> str | None:
    if len(words) > MAX_PAIRS:
        return f"{len(words)} {name} are more than {MAX_PAIRS}"
    for word in words:
        if not word:
            return f"one of {name} is empty"
        if reason := _text_refusal(name, word):
            return reason
    return None


def _pairs_refusal(name: str, pairs: dict[str, str]) -> str | None:
    if len(pairs) > MAX_PAIRS:
        return f"{len(pairs)} {name} are more than {MAX_PAIRS}"
    for key, value in pairs.items():
        if not 1 <= len(key) <= MAX_KEY:
            return f"a key of {name} is not 1 to {MAX_KEY} characters"
        if reason := _text_refusal(name, key) or _text_refusal(name, value):
            return reason
    return None


def _text_refusal(name: str, text: str, at_most: int = MAX_TEXT) -> str | None:
    if len(text) > at_most:
        return f"{name} is longer than {at_most} characters"
    if (bad := unprintable(text)) is not None:
        return f"{name} holds the control character U+{ord(bad):04X}"
    return None


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
