"""What a node tells control: plain values, made from what is declared and what is seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from node import config
from node.engines.sight import Health, Model, Operation, Sight
from node.rolling import UNMEASURED, Rates
from node.way import Way


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics processor. `gpu_id` is the same after a restart."""

    gpu_id: str
    name: str = ""
    vendor: str = ""
    memory_bytes: int = 0  # 0 when unknown


@dataclass(frozen=True, slots=True)
class Contribution:
    """When the owner of a machine lends it, and how much of it; None: it does not matter."""

    idle_only: bool = False
    ac_power_only: bool = False
    thermal_ceiling_celsius: float | None = None
    max_memory_bytes: int | None = None


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
    gpus: tuple[Gpu, ...] = ()
    trust_tier: str = ""
    device_class: str = ""
    workload_classes: tuple[str, ...] = ()
    allowed_model_families: tuple[str, ...] = ()
    contribution: Contribution = Contribution()


@dataclass(frozen=True, slots=True)
class GpuMetrics:
    """How busy a graphics processor is; None where nothing is known."""

    gpu_id: str
    utilization: float | None = None  # 0 to 1
    memory_used_bytes: int | None = None
    temperature_celsius: float | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """How busy the machine is; None where nothing is known."""

    cpu_utilization: float | None = None  # 0 to 1, over all processors
    memory_available_bytes: int | None = None
    gpus: tuple[GpuMetrics, ...] = ()
    on_ac_power: bool | None = None
    temperature_celsius: float | None = None  # of its hottest processor


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file with the weights of a model; empty and 0 where it does not say."""

    path: str  # of the first one where it is in several
    size_bytes: int  # of all of them
    name: str = ""
    architecture: str = ""
    quantization: str = ""
    context_tokens: int = 0
    parameter_count: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found on the machine beside what serves; `revision` grows when it changes."""

    model_files: tuple[ModelFile, ...] = ()  # by path, the first ones of
    model_file_count: int = 0
    problems: tuple[str, ...] = ()
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Asset:
    """A model that a service offers."""

    asset_id: str
    loaded: bool
    context_tokens: int  # 0 when unknown
    operation: Operation | None = None  # None: the kind of its service
    family: str = ""
    digest: str = ""
    modality: str = ""
    format: str = ""
    capabilities: tuple[str, ...] = ()
    size_bytes: int = 0  # of the weights, 0 when unknown
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
    engine_version: str = ""
    way: Way | None = None  # None: gateways reach the endpoint themselves


@dataclass(frozen=True, slots=True)
class Observation:
    """What is seen of a service now; None where nothing is known."""

    health: Health
    detail: str = ""
    in_flight: int | None = None
    queue_depth: int | None = None
    kv_cache_utilization: float | None = None  # 0 to 1
    vram_used_bytes: int | None = None
    rates: Rates = UNMEASURED
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
    machine: Machine | None = None  # None until it was looked at


def declared(settings: config.Service, service_id: str, api_key: str = "") -> Watched:
    """Return the service as it stands before the first look at it.

    api_key: the server's own, where it asks for one.
    """
    assets = tuple(_asset(Model(one.asset_id, one.loaded), one) for one in settings.assets)
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
    before: Watched,
    sight: Sight,
    settings: config.Service,
    room: int = config.MAX_ASSETS,
    rates: Rates = UNMEASURED,
) -> Watched:
    """Return `before` as it stands after `sight`; the revision grows when the definition changes.

    room: how many assets the host may still offer here, those of `before` included.
    rates: how fast the server was over the recent past.

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
        engine_version=known.engine_version if sight.version is None else sight.version,
    )
    if after != known:
        after = replace(after, revision=known.revision + 1)
    observation = Observation(
        sight.health,
        sight.detail,
        sight.in_flight,
        sight.queue_depth,
        sight.kv_cache_utilization,
        sight.vram_used_bytes,
        rates,
        settings.state.told,
    )
    left_out = before.left_out if sight.models is None else max(len(offered) - room, 0)
    return Watched(after, observation, left_out)


def draining(report: Report) -> Report:
    """Return `report` with services that take nothing new, whatever their owners say."""
    services = tuple(
        replace(one, observation=replace(one.observation, availability="draining"))
        for one in report.services
    )
    return replace(report, services=services)


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
        offered.append(_asset(model or Model(one.asset_id, loaded=False), one))
    if settings.discovers:
        offered += map(_asset, listed.values())
    return tuple(offered)


def _asset(model: Model, one: config.Asset | None = None) -> Asset:
    """Return `model` as it is offered. one: as it is declared, which counts for more."""
    told = one or config.Asset(asset_id=model.asset_id)
    return Asset(
        model.asset_id,
        model.loaded,
        told.context_tokens or model.context_tokens,
        model.operation,
        told.family or model.family,
        told.digest or model.digest,
        told.modality or model.modality,
        told.format or model.format,
        model.capabilities,
        model.size_bytes,
        one,
    )
