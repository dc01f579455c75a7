"""What roles prefer, and the tier that makes of it: who serves before whom."""

from collections.abc import Collection, Sequence

from control.api.strategies import Strategy
from control.inventory import Asset, Host, Service

# Words that tell who keeps a profile; one of them is enough. What `native_light` promises
# is kept by every engine that speaks OpenAI's language, as all do that we know.
GUARDED = {
    "native_light": ("",),
    "forge_proxy": ("forge",),
    "forge_middleware": ("forge", "guardrail"),
}


def of_family(asset: Asset, family: str) -> bool:
    """Return whether `asset` belongs to `family`, in lower case: it is part of one of its names.

    A vendor is none of them: `mistralai/Mixtral-8x7B` is no `mistral`. A family with a
    slash in it says what it means.
    """
    return family in (full_names(asset) if "/" in family else short_names(asset))


def full_names(asset: Asset) -> str:
    """Return the names of `asset` and of its line, a line each, in lower case."""
    return f"{asset.asset_id}\n{asset.family}".lower()


def short_names(asset: Asset) -> str:
    """Return the same without vendors."""
    _, _, asset_id = asset.asset_id.rpartition("/")
    _, _, family = asset.family.rpartition("/")
    return f"{asset_id}\n{family}".lower()


def family_rank(families: Sequence[str], of: Collection[str]) -> int:
    """Return the place of the first of `families` that is among those `of` an asset.

    Their number when none is.
    """
    for rank, family in enumerate(families):
        if family in of:
            return rank
    return len(families)


def host_labels(host: Host) -> frozenset[str]:
    """Return all labels that a role may name to prefer a host, in lower case.

    Of `gpu: A100` these are `gpu`, `a100` and `gpu=a100`; its tier and classes are labels too.
    """
    labels = {host.trust_tier, host.device_class, *host.workload_classes}
    for key, value in host.labels.items():
        labels |= {key, value, f"{key}={value}"}
    return frozenset(label.lower() for label in labels if label)


def asset_labels(asset: Asset) -> frozenset[str]:
    """Return the labels of an asset, in lower case; what its server says it can do are some."""
    return frozenset(label.lower() for label in (*asset.labels, *asset.capabilities))


def guardrails(service: Service) -> frozenset[str]:
    """Return the guardrail profiles whose promises `service` keeps; `none` is never one."""
    endpoint = service.endpoint
    text = f"{service.service_id} {service.engine} {endpoint.address} {endpoint.base_path}".lower()
    return frozenset(
        profile for profile, words in GUARDED.items() if any(word in text for word in words)
    )


def has_guardrails(profile: str, service: Service) -> bool:
    """Return whether `service` keeps what a guardrail profile promises."""
    return profile in GUARDED and profile in guardrails(service)


def is_cold(strategy: Strategy, *, loaded: bool, loads_on_request: bool) -> bool:
    """Return whether an asset comes after others for not being in memory.

    A score counts that itself, and so does expected completion where the model is loaded when
    it is asked for.
    """
    if strategy is Strategy.SCORED:
        return False
    return not loaded and not (loads_on_request and strategy is Strategy.EXPECTED_COMPLETION)


def tier(
    *,
    unguarded: bool = False,
    family: tuple[int, int] = (0, 0),
    missing: tuple[int, int] = (0, 0),
    remote: bool,
    cold: bool,
) -> int:
    """Return the place among candidates, 0 first; what comes first here decides first.

    family, missing: the rank of the family and the number of labels that it lacks, each
    with the highest it could be. So a tier follows from its own candidate alone, and a
    change of one never moves another.
    """
    place = int(unguarded)
    for value, highest in (family, missing, (int(remote), 1), (int(cold), 1)):
        place = place * (highest + 1) + value
    return place
