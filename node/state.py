"""What a node tells control: plain values, made from what is declared and what is seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from node import config
from node.engines.sight import Health, Sight


@dataclass(frozen=True, slots=True)
class Host:
    """The machine, as it is told at registration."""

    host_id: str
    display_name: str = ""
    address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    capabilities: Mapping[str, bool] = field(default_factory=dict)
    cpu_threads: int = 0
    memory_bytes: int = 0
    trust_tier: str = ""
    device_class: str = ""
    workload_classes: tuple[str, ...] = ()
    allowed_model_families: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metrics:
    """How busy the machine is."""

    cpu_utilization: float  # 0 to 1, over all processors
    memory_available_bytes: int


@dataclass(frozen=True, slots=True)
class Asset:
    """A model that a service offers."""

    asset_id: str
    loaded: bool
    context_tokens: int  # 0 when unknown
    embeds: bool = False  # whatever the kind of its service
    # None when the server alone tells of it. As long as the node lives it stays the same.
    declared: config.Asset | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Service:
    """The definition of a service: what control stores and routes by."""

    service_id: str
    endpoint: str
    kind: config.Kind
    engine: str = ""
    assets: tuple[Asset, ...] = ()
    concurrency: int = 0  # 0 when unknown
    revision: int = 1
    loads_on_request: bool = False  # a model that is not in memory
    direct_requests: bool = False  # to a personal device
    api_key: str = field(default="", repr=False)  # the server's own; empty without one


@dataclass(frozen=True, slots=True)
class Observation:
    """What is seen of a service now; None where nothing is known."""

    health: Health
    detail: str = ""
    in_flight: int | None = None
    queue_depth: int | None = None
    tokens_per_second: float | None = None
    availability: config.Availability = "available"


@dataclass(frozen=True, slots=True)
class Watched:
    """A service and what is seen of it."""

    service: Service
    observation: Observation
    left_out: int = 0  # models that it lists beyond what the host may offer


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a node can tell at one moment."""

    host: Host
    metrics: Metrics
    services: tuple[Watched, ...]


def declared(settings: config.Service, service_id: str, api_key: str = "") -> Watched:
    """Return the service as it stands before the first look at it.

    api_key: the server's own, where it asks for one.
    """
    assets = tuple(
        Asset(one.asset_id, one.loaded, one.context_tokens, declared=one) for one in settings.assets
    )
    return Watched(
        Service(
            service_id,
            settings.endpoint,
            settings.kind,
            settings.named_engine or settings.asked_as or "",
            assets,
            settings.concurrency,
            loads_on_request=settings.load_mode == "on_request",
            direct_requests=settings.state.allow_employee_direct_requests,
            api_key=api_key,
        ),
        Observation("unhealthy", "not looked at yet", availability=settings.state.told),
    )


def seen(
    before: Watched, sight: Sight, settings: config.Service, room: int = config.MAX_ASSETS
) -> Watched:
    """Return `before` as it stands after `sight`; the revision grows when the definition changes.

    room: how many assets the host may still offer here, those of `before` included.

    What the sight does not tell stays as it was, so that a server that restarts
    keeps its models, unroutable, until it lists them again.
    """
    known = before.service
    offered = known.assets if sight.models is None else _assets(sight, settings)
    after = replace(
        known,
        engine=settings.named_engine or sight.engine or known.engine,
        assets=offered[:room],
        concurrency=settings.concurrency or sight.concurrency or known.concurrency,
        loads_on_request=_loads_on_request(known, sight, settings),
    )
    if after != known:
        after = replace(after, revision=known.revision + 1)
    observation = Observation(
        sight.health,
        sight.detail,
        sight.in_flight,
        sight.queue_depth,
        sight.tokens_per_second,
        settings.state.told,
    )
    left_out = before.left_out if sight.models is None else max(len(offered) - room, 0)
    return Watched(after, observation, left_out)


def differs(before: Watched, after: Watched) -> bool:
    """Return whether control must hear of `after` now and not at the next beat."""
    return before.service != after.service or before.observation.health != after.observation.health


def _loads_on_request(known: Service, sight: Sight, settings: config.Service) -> bool:
    if settings.load_mode is not None:
        return settings.load_mode == "on_request"
    return known.loads_on_request if sight.loads_on_request is None else sight.loads_on_request


def _assets(sight: Sight, settings: config.Service) -> tuple[Asset, ...]:
    """Declared assets first, in their order, then what else the server lists.

    A server that lists its models knows better than a file what is in memory.
    """
    listed = {model.asset_id: model for model in sight.models or ()}
    offered = []
    for one in settings.assets:
        model = listed.pop(one.asset_id, None)
        context = one.context_tokens or (model.context_tokens if model else 0)
        embeds = model is not None and model.embeds
        loaded = model is not None and model.loaded
        offered.append(Asset(one.asset_id, loaded, context, embeds, one))
    if settings.discovers:
        offered += [
            Asset(m.asset_id, m.loaded, m.context_tokens, m.embeds) for m in listed.values()
        ]
    return tuple(offered)
