"""The assets of a service by what roles can tell of them: ten thousand are few kinds."""

from bisect import bisect_right
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from math import inf

from control.inventory import Asset, Operation
from control.ranking.eligibility import lent
from control.ranking.preferences import asset_labels, full_names, short_names
from control.ranking.roles import RoutingPolicy
from control.ranking.traits import Traits

# Families looked for between two pauses, about 40 ns each.
BREATH = 1_000


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All that any role of a catalog tells assets apart by, beside whether they are loaded.

    families: in lower case; `vendored` are those with a slash. contexts: growing.
    """

    families: tuple[str, ...]
    vendored: tuple[str, ...]
    labels: frozenset[str]
    contexts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """Assets of a service that no role tells apart; `asset` is the one of the smallest id.

    families, labels: those of the vocabulary that they have, labels with their host's.
    """

    asset: Asset
    families: frozenset[str]
    labels: frozenset[str]


def vocabulary(policies: Iterable[RoutingPolicy]) -> Vocabulary:
    """Return what `policies` tell assets apart by."""
    families: set[str] = set()
    labels: set[str] = set()
    contexts: set[int] = set()
    for policy in policies:
        families.update(policy.preferred_families)
        labels.update(policy.preferred_labels)
        contexts.add(policy.min_context)
    lower = sorted({family.lower() for family in families})
    return Vocabulary(
        families=tuple(family for family in lower if "/" not in family),
        vendored=tuple(family for family in lower if "/" in family),
        labels=frozenset(label.lower() for label in labels),
        contexts=tuple(sorted(contexts)),
    )


def kinds(
    traits: Traits, words: Vocabulary
) -> Generator[None, None, dict[Operation, tuple[Kind, ...]]]:
    """Return the kinds of the assets that are lent, by operation; yields while it works."""
    found: dict[Operation, dict[tuple[object, ...], Kind]] = {}
    families_a_asset = len(words.families) + len(words.vendored)
    looked = 0
    for asset in traits.service.assets:
        if looked > BREATH:
            looked = 0
            yield
        looked += families_a_asset + BREATH // 10
        if not lent(traits, asset):
            continue
        kind = _kind(traits, asset, words)
        runs = traits.findings.get(asset.asset_id)
        key = (asset.loaded, _reach(asset, words.contexts), kind.families, kind.labels, runs)
        for operation in asset.operations:
            of_operation = found.setdefault(operation, {})
            held = of_operation.get(key)
            if held is None or asset.asset_id < held.asset.asset_id:
                of_operation[key] = kind
    return {operation: tuple(by_key.values()) for operation, by_key in found.items()}


def _kind(traits: Traits, asset: Asset, words: Vocabulary) -> Kind:
    short = short_names(asset)
    families = {family for family in words.families if family in short}
    if words.vendored:
        full = full_names(asset)
        families.update(family for family in words.vendored if family in full)
    mine = asset_labels(asset) if asset.labels or asset.capabilities else None
    labels = traits.labels | mine if mine else traits.labels
    return Kind(asset, frozenset(families), labels & words.labels)


def _reach(asset: Asset, contexts: tuple[int, ...]) -> int:
    """Return how many of the contexts that roles ask for `asset` has; an unknown one has all."""
    return bisect_right(contexts, asset.context_tokens or inf)
