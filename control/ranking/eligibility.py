"""Who may serve what. Each gate is one row of a table, which decides and explains alike."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from control.inventory import Asset, Availability
from control.ranking.preferences import of_family
from control.ranking.roles import RoutingPolicy
from control.ranking.traits import Traits

# A busy service may be used; that others are preferred is a matter of its score.
USABLE = frozenset({Availability.AVAILABLE, Availability.BUSY})
# Machines that are somebody's own; nobody uses them unless that is said.
PERSONAL = frozenset({"employee_device", "personal_device"})


@dataclass(frozen=True, slots=True)
class Gate:
    """One thing that a candidate must fulfil, as it was found. detail: found and wanted."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a candidate must fulfil.

    concerns: whether a role asks for it at all; nobody is refused by one that it does not
    ask for. detail: what was found, and what was wanted.
    """

    name: str
    concerns: Callable[[RoutingPolicy], object]
    holds: Callable[[RoutingPolicy, Traits, Asset], bool]
    detail: Callable[[RoutingPolicy, Traits, Asset], str]


def refusal(
    rules: Sequence[Rule], policy: RoutingPolicy, traits: Traits, asset: Asset
) -> str | None:
    """Return the name of the first of `rules` that is not fulfilled, or None."""
    for rule in rules:
        if not rule.holds(policy, traits, asset):
            return rule.name
    return None


def gates(
    rules: Sequence[Rule], policy: RoutingPolicy, traits: Traits, asset: Asset
) -> tuple[Gate, ...]:
    """Return what `refusal` looks at, all of it."""
    return tuple(
        Gate(rule.name, rule.holds(policy, traits, asset), rule.detail(policy, traits, asset))
        for rule in rules
    )


def concerning(policy: RoutingPolicy) -> tuple[Rule, ...]:
    """Return the rules by which `policy` can refuse anybody."""
    return tuple(rule for rule in OF_ROLES if rule.concerns(policy))


def lent(traits: Traits, asset: Asset) -> bool:
    """Return whether the owner of a host lets others use `asset`."""
    if not (families := traits.lent_families):
        return True
    service = f"{traits.service.service_id} {traits.service.engine}".lower()
    return any(family in service or of_family(asset, family) for family in families)


def _trusted(policy: RoutingPolicy, traits: Traits, _: Asset) -> bool:
    tier = traits.trust_tier
    if tier in policy.denied_trust_tiers:
        return False
    if policy.allowed_trust_tiers:
        return tier in policy.allowed_trust_tiers
    return policy.allow_employee_devices or tier not in PERSONAL


def _is_kind(policy: RoutingPolicy, traits: Traits, _: Asset) -> bool:
    if traits.device_class in policy.denied_device_classes:
        return False
    allowed = policy.allowed_device_classes
    return not allowed or traits.device_class in allowed


def _is_for_work(policy: RoutingPolicy, traits: Traits, _: Asset) -> bool:
    classes, allowed = traits.workload_classes, policy.allowed_workload_classes
    if not classes.isdisjoint(policy.denied_workload_classes):
        return False
    return not allowed or not classes.isdisjoint(allowed)


def _has_context(policy: RoutingPolicy, _: Traits, asset: Asset) -> bool:
    return not asset.context_tokens or asset.context_tokens >= policy.min_context


def _answers_soon(policy: RoutingPolicy, traits: Traits, asset: Asset) -> bool:
    return not policy.require_loaded or asset.loaded or traits.service.loads_on_request


def _is_ours(policy: RoutingPolicy, traits: Traits, _: Asset) -> bool:
    return policy.allow_providers or not traits.is_provider


def _answers_strangers(_: RoutingPolicy, traits: Traits, __: Asset) -> bool:
    return traits.service.direct_requests or traits.trust_tier not in PERSONAL


def _trust_detail(policy: RoutingPolicy, traits: Traits, _: Asset) -> str:
    wanted = _listed(policy.allowed_trust_tiers, policy.denied_trust_tiers)
    return f"{traits.trust_tier or 'unknown'}; wanted: {wanted or 'no personal devices'}"


def _device_detail(policy: RoutingPolicy, traits: Traits, _: Asset) -> str:
    wanted = _listed(policy.allowed_device_classes, policy.denied_device_classes)
    return f"{traits.device_class or 'unknown'}; wanted: {wanted}"


def _work_detail(policy: RoutingPolicy, traits: Traits, _: Asset) -> str:
    wanted = _listed(policy.allowed_workload_classes, policy.denied_workload_classes)
    return f"{', '.join(sorted(traits.workload_classes)) or 'unknown'}; wanted: {wanted}"


def _listed(allowed: Collection[str], denied: Collection[str]) -> str:
    """Return what a pair of lists wants, in words."""
    wanted = [f"one of {', '.join(allowed)}"] if allowed else []
    return " and ".join([*wanted, *([f"none of {', '.join(denied)}"] if denied else [])])


def _context_detail(policy: RoutingPolicy, _: Traits, asset: Asset) -> str:
    return f"{asset.context_tokens or 'unknown'}; wanted: at least {policy.min_context} tokens"


def _loaded_detail(_: RoutingPolicy, traits: Traits, asset: Asset) -> str:
    if asset.loaded:
        return "loaded"
    return "loads on request" if traits.service.loads_on_request else "not loaded"


def _provider_detail(_: RoutingPolicy, traits: Traits, __: Asset) -> str:
    return "an external provider" if traits.is_provider else "local"


def _strangers_detail(_: RoutingPolicy, traits: Traits, __: Asset) -> str:
    if traits.trust_tier not in PERSONAL:
        return traits.trust_tier or "no personal device"
    answer = "answers" if traits.service.direct_requests else "does not answer"
    return f"{traits.trust_tier}; {answer} direct requests"


def _lent_detail(_: RoutingPolicy, traits: Traits, asset: Asset) -> str:
    lent_families = ", ".join(traits.lent_families) or "all"
    return f"{asset.family or asset.asset_id}; its owner lends {lent_families}"


def _if_lent(_: RoutingPolicy, traits: Traits, asset: Asset) -> bool:
    return lent(traits, asset)


def _always(_: RoutingPolicy) -> bool:
    return True


# Whoever asks, and for what.
OF_OWNERS = Rule("model_families", _always, _if_lent, _lent_detail)
# Of who asks for an asset or a service by its name.
OF_DIRECT_REQUESTS = Rule("direct_requests", _always, _answers_strangers, _strangers_detail)
OF_ROLES = (
    Rule(
        "trust_tier",
        lambda policy: (
            policy.allowed_trust_tiers
            or policy.denied_trust_tiers
            or not policy.allow_employee_devices
        ),
        _trusted,
        _trust_detail,
    ),
    Rule(
        "device_class",
        lambda policy: policy.allowed_device_classes or policy.denied_device_classes,
        _is_kind,
        _device_detail,
    ),
    Rule(
        "workload_class",
        lambda policy: policy.allowed_workload_classes or policy.denied_workload_classes,
        _is_for_work,
        _work_detail,
    ),
    Rule("provider", lambda policy: not policy.allow_providers, _is_ours, _provider_detail),
    Rule("min_context", lambda policy: policy.min_context, _has_context, _context_detail),
    Rule("require_loaded", lambda policy: policy.require_loaded, _answers_soon, _loaded_detail),
)
