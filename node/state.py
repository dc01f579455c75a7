"""What a node tells control: plain values, made from what is declared and what is seen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from node import assets, config
from node.assets import Asset
from node.engines.sight import Health, Model, Sight
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


# Bytes; half of what control takes of a host. The other half is for what is declared.
MAX_DESCRIPTION = 1 << 19


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
    described: int = 0  # bytes that describe its models


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
    return Watched(
        Service(
            service_id,
            settings.endpoint,
            settings.kind,
            settings.named_engine or settings.asked_as or "",
            assets.declared(settings),
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
    words: int = assets.MAX_DESCRIPTION,
    takes: Callable[[Model], bool] = lambda _: True,
    max_bytes: int | None = None,
) -> Watched:
    """Return `before` as it stands after `sight`; the revision grows when the definition changes.

    room: how many assets the host may still offer here, those of `before` included.
    words: bytes that may describe them.
    takes: whether a model that is not declared is for this service.
    rates: how fast the server was over the recent past.
    max_bytes: larger models, where their size is known, are not lent.

    What the sight does not tell stays as it was, so that a server that restarts
    keeps its models, unroutable, until it lists them again; one of another kind does not.
    """
    known = before.service
    if _is_another(known, sight, settings):
        fresh = declared(settings, known.service_id, known.api_key).service
        known = replace(fresh, revision=known.revision, way=known.way)
    offered = known.assets
    if sight.models is not None:
        offered = assets.listed(sight.models, settings, known.assets, takes)
    if max_bytes is not None:
        offered = tuple(asset for asset in offered if asset.size_bytes <= max_bytes)
    after = replace(
        known,
        engine=settings.named_engine or sight.engine or known.engine,
        assets=assets.within(offered[:room], words),
        concurrency=settings.concurrency or sight.concurrency or known.concurrency,
        loads_on_request=_loads_on_request(known, sight, settings),
        engine_version=known.engine_version if sight.version is None else sight.version,
    )
    if after != before.service:
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
    return Watched(after, observation, left_out, assets.described(after.assets))


def draining(report: Report) -> Report:
    """Return `report` with services that take nothing new, whatever their owners say."""
    services = tuple(
        replace(one, observation=replace(one.observation, availability="draining"))
        for one in report.services
    )
    return replace(report, services=services)


def lent(watched: Watched, forbidden: str) -> Watched:
    """Return `watched` as it is told while the owner of the machine forbids its use.

    forbidden: why; empty when the machine is lent.
    """
    now = watched.observation
    if not forbidden or now.availability not in ("available", "busy"):
        return watched
    # The reason first, and once: what was not looked at yet may be the server as well.
    detail = "; ".join(dict.fromkeys(filter(None, (forbidden, now.detail))))
    told = replace(now, availability="paused_by_user", detail=detail)
    return replace(watched, observation=told)


def differs(before: Watched, after: Watched) -> bool:
    """Return whether control must hear of `after` now and not at the next beat."""
    return before.service != after.service or before.observation.health != after.observation.health


def _is_another(known: Service, sight: Sight, settings: config.Service) -> bool:
    """Return whether a server of another kind answers by now, of which nothing is known."""
    if settings.named_engine or not known.engine or sight.health != "healthy":
        return False  # while it loads its kind may be a guess
    return sight.engine not in (None, known.engine)


def _loads_on_request(known: Service, sight: Sight, settings: config.Service) -> bool:
    if settings.load_mode is not None:
        return settings.load_mode == "on_request"
    return known.loads_on_request if sight.loads_on_request is None else sight.loads_on_request
