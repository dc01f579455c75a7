"""Random registries, roles and loads, the same for the same seed; and names to ask them for."""

from dataclasses import dataclass
from random import Random

from control.api.strategies import Strategy
from control.inventory import (
    Asset,
    Availability,
    Endpoint,
    Health,
    Host,
    HostState,
    Operation,
    RequestPolicy,
    Service,
)
from control.ranking.offering import Rules
from control.ranking.picking import Load
from control.ranking.questions import Seen
from control.ranking.roles import Role, RoutingPolicy
from control.ranking.runs import Run
from control.ranking.subject import Signals, Subject
from tests.unit.control.ranking.trials import run, tried

NAN, INF = float("nan"), float("inf")
TIERS = ("", "trusted", "Employee_Device", "personal_device")
DEVICES = ("", "workstation", "Phone")
WORK = ("background", "interactive")
ASSETS = ("Qwen/Qwen3-8B", "qwen3:4b", "mistral-7b", "org/llama-3", "role-0", "asset/role-0")
FAMILIES = ("", "Qwen3-8B", "mistral")
WANTED = ("qwen3", "Mistral", "qwen/qwen3", "llama")
LABELS = ("fast", "gpu", "gpu=a100", "workstation")
WORKLOADS = ("chat.short_reasoning", "chat.concise_support", "code")
LATENCIES = (None, 0.1, 0.9, 5.0, NAN, -1.0, INF)
SPEEDS = (None, 12.0, 44.0, NAN, -INF, 1e300)


@dataclass(frozen=True, slots=True)
class Registry:
    """Services as they are seen, and the rules that hold for them."""

    seen: tuple[Seen, ...]
    rules: Rules

    @property
    def names(self) -> list[str]:
        """All that could be asked for, and one name that nobody has."""
        services = [one.subject.service for one in self.seen]
        assets = [asset.asset_id for service in services for asset in service.assets]
        own = [service.service_id for service in services]
        return sorted({*self.rules.roles, *assets, *(f"asset/{a}" for a in assets), *own, "?"})


def registry(random: Random) -> Registry:
    """Return a registry of up to 6 services and 4 roles; most of it is usable."""
    seen = tuple(_seen(random, number) for number in range(random.choice((0, 2, 4, 6))))
    ids = [f"role-{number}" for number in range(random.randrange(5))]
    roles = {role_id: _role(random, role_id, ids) for role_id in ids}
    return Registry(seen, Rules(roles, random.choice(list(Strategy))))


def _some(random: Random, words: tuple[str, ...], chance: float = 0.3) -> tuple[str, ...]:
    return tuple(word for word in words if random.random() < chance)


def _seldom(random: Random, usual, others):
    return usual if random.random() < 0.85 else random.choice(list(others))


def _seen(random: Random, number: int) -> Seen:
    provider = random.random() < 0.1
    host_id = f"{'external-provider:' if provider else ''}h{number}"
    host = Host(
        host_id,
        labels={"gpu": "A100"} if random.random() < 0.5 else {"workload_class": "Background"},
        trust_tier=random.choice(TIERS),
        device_class=random.choice(DEVICES),
        workload_classes=_some(random, WORK),
        allowed_model_families=_some(random, ("Qwen3", "llama", "forge"), 0.1),
    )
    service = Service(
        f"{host_id}/{random.choice(('s', 'forge', 'role-2'))}",
        host_id,
        Endpoint("http", "127.0.0.1:1", random.choice(("", "/forge", "/guardrail"))),
        assets=tuple(_asset(random, one) for one in random.sample(ASSETS, random.randint(1, 4))),
        concurrency=random.randrange(3),
        loads_on_request=random.random() < 0.3,
        direct_requests=random.random() < 0.5,
    )
    availability = _seldom(random, Availability.AVAILABLE, Availability)
    signals = Signals(random.choice(LATENCIES), random.choice(SPEEDS), availability)
    subject = Subject(host, service, signals)
    return Seen(
        tried(subject, *_runs(random, service)) if random.random() < 0.25 else subject,
        _seldom(random, HostState.ONLINE, HostState),
        _seldom(random, Health.HEALTHY, Health),
        held_back=random.random() < 0.1,
        load=Load(
            random.randrange(4),
            random.randrange(7),
            service.concurrency,
            loaded_assets=sum(one.loaded for one in service.assets),
        ),
    )


def _runs(random: Random, service: Service) -> list[Run]:
    """Return runs of which each speaks for one asset of a service, or for all."""
    ids = ("", *(asset.asset_id for asset in service.assets))
    return [
        run(
            workload,
            {"pass_rate": random.random()},
            observed_at=-random.choice((0.0, 40 * 86_400.0)),
            asset_id=random.choice(ids),
        )
        for workload in _some(random, WORKLOADS, 0.5)
    ]


def _asset(random: Random, asset_id: str) -> Asset:
    operations = tuple(random.sample(list(Operation), random.choice((1, 2))))
    return Asset(
        asset_id,
        (Operation.CHAT,) if random.random() < 0.7 else operations,
        loaded=random.random() < 0.5,
        context_tokens=random.choice((0, 4096, 8192)),
        family=random.choice(FAMILIES),
        labels=_some(random, ("Fast", "instruction")),
        request_policy=RequestPolicy('{"seed":1}') if random.random() < 0.2 else None,
    )


def _role(random: Random, role_id: str, ids: list[str]) -> Role:
    strict = 0.15 if random.random() < 0.3 else 0.0
    routing = RoutingPolicy(
        preferred_families=_some(random, WANTED),
        preferred_labels=_some(random, LABELS),
        min_context=random.choice((0, 0, 0, 4096, 9999)),
        require_loaded=random.random() < 0.2,
        allow_employee_devices=random.random() < 0.6,
        allow_providers=random.random() < 0.3,
        allowed_trust_tiers=_some(random, ("trusted", "employee_device"), strict),
        denied_trust_tiers=_some(random, ("trusted", "personal_device"), strict),
        allowed_device_classes=_some(random, ("workstation", "phone"), strict),
        denied_device_classes=_some(random, ("phone",), strict),
        allowed_workload_classes=_some(random, WORK, strict),
        denied_workload_classes=_some(random, WORK, strict),
        guardrail_profile=random.choice(
            ("none", "none", "native_light", "forge_proxy", "forge_middleware")
        ),
        strategy=random.choice(("", *Strategy)),
        agentic_benchmark_workloads=_some(random, WORKLOADS),
    )
    return Role(
        role_id,
        Operation.CHAT if random.random() < 0.8 else Operation.EMBEDDINGS,
        routing=routing,
        request_policy=RequestPolicy(system_prompt="be brief") if random.random() < 0.2 else None,
        stand_ins=tuple(one for one in random.sample(ids, len(ids)) if one != role_id)[:2],
    )
