"""Roles made ready to be compared with thousands of services."""

from dataclasses import dataclass

from control.api.strategies import Strategy
from control.ranking.eligibility import Rule, concerning, refusal
from control.ranking.kinds import Kind
from control.ranking.preferences import family_rank, is_cold, tier
from control.ranking.roles import Role
from control.ranking.traits import Traits


@dataclass(frozen=True, slots=True)
class Demand:
    """What a role asks for and what it prefers. Families and labels are in lower case."""

    role: Role
    strategy: Strategy
    rules: tuple[Rule, ...]
    families: tuple[str, ...]
    labels: frozenset[str]
    guarded: bool  # whether the role names a guardrail profile

    def admits(self, traits: Traits, kind: Kind) -> bool:
        """Return whether assets of `kind` may serve the role."""
        return refusal(self.rules, self.role.routing, traits, kind.asset) is None

    def tier(self, traits: Traits, kind: Kind) -> int:
        """Return the tier of assets of `kind` among those that may."""
        profile = self.role.routing.guardrail_profile
        return tier(
            unguarded=self.guarded and profile not in traits.guardrails,
            family=(family_rank(self.families, kind.families), len(self.families)),
            missing=(len(self.labels - kind.labels), len(self.labels)),
            remote=traits.is_provider,
            cold=is_cold(
                self.strategy,
                loaded=kind.asset.loaded,
                loads_on_request=traits.service.loads_on_request,
            ),
        )

    def words(self, traits: Traits, kind: Kind) -> tuple[str, ...]:
        """Return what the tier is made of, in words, the weightiest first."""
        profile = self.role.routing.guardrail_profile
        words = []
        if self.guarded:
            words.append(
                f"guardrails {profile}" if profile in traits.guardrails else f"no {profile}"
            )
        if self.families:
            rank = family_rank(self.families, kind.families)
            fits = rank < len(self.families)
            words.append(f"family {self.families[rank]}" if fits else "no preferred family")
        if self.labels:
            missing = ", ".join(sorted(self.labels - kind.labels))
            words.append(f"lacks {missing}" if missing else "all preferred labels")
        words.append("external provider" if traits.is_provider else "local")
        on_request = traits.service.loads_on_request
        if is_cold(self.strategy, loaded=False, loads_on_request=on_request):
            words.append("loaded" if kind.asset.loaded else "not loaded")
        return tuple(words)


def demand(role: Role, default: Strategy) -> Demand:
    """Return what `role` asks for. default: the strategy where it names none."""
    routing = role.routing
    return Demand(
        role,
        Strategy(routing.strategy) if routing.strategy else default,
        concerning(routing),
        families=tuple(family.lower() for family in routing.preferred_families),
        labels=frozenset(label.lower() for label in routing.preferred_labels),
        guarded=routing.guardrail_profile != "none",
    )
