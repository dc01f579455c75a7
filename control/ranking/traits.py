"""What roles look at in a service and its host: read once, compared with all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from control.inventory import Host, Service
from control.ranking.benchmarks import Findings
from control.ranking.preferences import guardrails, host_labels
from control.ranking.subject import Subject


@dataclass(frozen=True, slots=True)
class Traits:
    """What a service and its host are; words are in lower case, and empty when unknown.

    lent_families: those that the owner lets others use, empty for all. guardrails: the
    profiles that it keeps. findings: of its assets, as `Subject` has them.
    """

    service: Service
    is_provider: bool
    trust_tier: str
    device_class: str
    workload_classes: frozenset[str]
    lent_families: tuple[str, ...]
    labels: frozenset[str]
    guardrails: frozenset[str]
    findings: Mapping[str, Findings]


def traits(subject: Subject) -> Traits:
    """Return the traits of `subject`: its host's own fields, or else labels of the same name."""
    host, service = subject.host, subject.service
    return Traits(
        service,
        subject.is_provider,
        trust_tier=(host.trust_tier or host.labels.get("trust_tier", "")).lower(),
        device_class=(host.device_class or host.labels.get("device_class", "")).lower(),
        workload_classes=_workload_classes(host),
        lent_families=tuple(family.lower() for family in host.allowed_model_families if family),
        labels=host_labels(host),
        guardrails=guardrails(service),
        findings=subject.findings,
    )


def _workload_classes(host: Host) -> frozenset[str]:
    classes = host.workload_classes or (host.labels.get("workload_class", ""),)
    return frozenset(one.lower() for one in classes if one)
