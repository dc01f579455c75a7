"""What hosts offer, as control thinks of it: the nouns of the contract without its messages."""

from dataclasses import dataclass, field, replace
from enum import StrEnum


class Operation(StrEnum):
    """What a client can ask for. The values are part of resource names."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"
    TRANSCRIPTION = "transcription"


class Health(StrEnum):
    """Whether a service answers, as its node reports it."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    LOADING = "loading"
    UNHEALTHY = "unhealthy"


class HostState(StrEnum):
    """Whether a host is alive."""

    ONLINE = "online"
    RETURNING = "returning"  # known from before control started, within the grace period
    LOST = "lost"


class Availability(StrEnum):
    """Whether the owner of a service lets it be used."""

    AVAILABLE = "available"
    BUSY = "busy"  # usable, and others should be preferred
    DRAINING = "draining"
    PAUSED_BY_USER = "paused_by_user"
    OFFLINE = "offline"
    QUARANTINED = "quarantined"


class Position(StrEnum):
    """Where a system prompt stands beside the caller's own."""

    PREPEND = "prepend"
    APPEND = "append"
    REPLACE = "replace"


class Reasoning(StrEnum):
    """What becomes of hidden reasoning in answers."""

    STRIP = "strip"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A graphics processor of a machine."""

    gpu_id: str
    name: str = ""
    vendor: str = ""
    memory_bytes: int = 0  # 0 when unknown


@dataclass(frozen=True, slots=True)
class Resources:
    """What a machine has; 0 when unknown."""

    cpu_threads: int = 0
    memory_bytes: int = 0
    gpus: tuple[Gpu, ...] = ()


@dataclass(frozen=True, slots=True)
class GpuMetrics:
    """How busy a graphics processor is; None when not told."""

    gpu_id: str
    utilization: float | None = None  # share of its time, 0 to 1
    memory_used_bytes: int | None = None
    temperature_celsius: float | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """How busy a machine is; None when not told."""

    cpu_utilization: float | None = None  # share of all processors, 0 to 1
    memory_available_bytes: int | None = None
    gpus: tuple[GpuMetrics, ...] = ()
    on_ac_power: bool | None = None
    temperature_celsius: float | None = None  # of the hottest processor


@dataclass(frozen=True, slots=True)
class Contribution:
    """When the owner of a machine lends it, and how much of it; None for no limit."""

    idle_only: bool = False
    ac_power_only: bool = False
    thermal_ceiling_celsius: float | None = None
    max_memory_bytes: int | None = None  # that a model may need


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file with the weights of a model; texts are empty and numbers 0 when unknown."""

    path: str
    size_bytes: int
    name: str = ""
    architecture: str = ""
    quantization: str = ""
    context_tokens: int = 0
    parameter_count: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """What a node found on its machine beside what serves. Never stored, and nothing routes by it.

    file_count: how many files with weights there are, told here or not. problems: what it
    could not find out, a line each.
    """

    files: tuple[ModelFile, ...] = ()
    file_count: int = 0
    problems: tuple[str, ...] = ()


UNMEASURED = Metrics()
UNKNOWN_RESOURCES = Resources()
UNLIMITED = Contribution()


@dataclass(frozen=True, slots=True)
class Host:
    """A machine, as its node describes it."""

    host_id: str
    display_name: str = ""
    address: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    capabilities: dict[str, bool] = field(default_factory=dict)
    resources: Resources = UNKNOWN_RESOURCES
    trust_tier: str = ""
    device_class: str = ""
    workload_classes: tuple[str, ...] = ()
    allowed_model_families: tuple[str, ...] = ()  # empty for all
    node_key_id: str = ""
    contribution: Contribution = UNLIMITED


@dataclass(frozen=True, slots=True)
class NodeRelay:
    """The door of a node to what only its machine reaches.

    token: what the door asks for; empty while it is not known, as after a restart of control:
    it is never stored. tls_name: expected in its certificate, where it is not the address.
    """

    address: str  # host:port, as gateways reach it
    token: str = field(default="", repr=False)
    tls: bool = False
    tls_name: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a gateway reaches a service."""

    scheme: str  # http or https
    address: str  # host:port; as the node reaches it, where there is a relay
    base_path: str = ""
    tls_name: str = ""
    direct: bool = True  # the gateway connects to the address itself
    relay: NodeRelay | None = None  # the other kind; neither is none that this control knows

    @property
    def token(self) -> str:
        """What its relay asks for; empty where there is none, or it is not known."""
        return self.relay.token if self.relay is not None else ""

    @property
    def callable(self) -> bool:
        """Whether a gateway has all that it needs to get there."""
        return self.relay is None or bool(self.relay.token)

    def without_secrets(self) -> "Endpoint":
        """Return the same as it may be stored and shown."""
        return self if self.relay is None else replace(self, relay=replace(self.relay, token=""))


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RequestPolicy:
    """How requests are shaped before a service sees them; what is empty changes nothing.

    body_defaults, body_overrides: JSON objects, as texts.
    """

    body_defaults: str = ""
    body_overrides: str = ""
    system_prompt: str = ""
    position: Position = Position.PREPEND
    user_template: str = ""
    reasoning: Reasoning | None = None  # None: as the gateway is configured
    without_tools: bool = False


@dataclass(frozen=True, slots=True)
class Locator:
    """Where weights are."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Asset:
    """A model, by the service's own name."""

    asset_id: str
    operations: tuple[Operation, ...]
    loaded: bool = False
    context_tokens: int = 0  # 0 when unknown
    family: str = ""
    labels: tuple[str, ...] = ()
    request_policy: RequestPolicy | None = None
    modality: str = ""
    format: str = ""
    locator: Locator | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    digest: str = ""
    capabilities: tuple[str, ...] = ()  # that the server tells of, e.g. tools
    size_bytes: int = 0  # of the weights, 0 when unknown


@dataclass(frozen=True, slots=True)
class Service:
    """A running model server, as its node defines it."""

    service_id: str
    host_id: str
    endpoint: Endpoint
    engine: str = ""
    assets: tuple[Asset, ...] = ()
    concurrency: int = 0  # requests it serves at the same time, 0 when unknown
    revision: int = 0
    loads_on_request: bool = False  # loads a model by itself when it is asked for it
    direct_requests: bool = False  # whether a personal device may be asked directly
    needs_key: bool = False  # whether its engine asks for a key of its own
    # That key; empty, too, while it is not known: it is never stored, so after a restart of
    # control a service has none until its host is back.
    api_key: str = field(default="", repr=False)
    engine_version: str = ""

    @property
    def callable(self) -> bool:
        """Whether all is known that a gateway needs to call it."""
        return self.endpoint.callable and (bool(self.api_key) or not self.needs_key)


@dataclass(frozen=True, slots=True)
class Observation:
    """What a node sees of a service now; None when not told. Spans are in seconds."""

    health: Health = Health.UNKNOWN
    in_flight: int | None = None
    queue_depth: int | None = None
    tokens_per_second: float | None = None
    latency_p50: float | None = None  # of whole answers
    detail: str = ""
    availability: Availability = Availability.AVAILABLE
    latency_p95: float | None = None
    kv_cache_utilization: float | None = None  # 0 to 1
    vram_used_bytes: int | None = None
    prompt_tokens_per_second: float | None = None
    first_token_p50: float | None = None
    first_token_p95: float | None = None


UNOBSERVED = Observation()
