"""The node's settings. Every key is explained, at its default, in `configs/node.yaml`."""

import re
import socket
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from control.api.logs import Log
from control.api.ports import is_loopback, join_address
from control.api.request_policy import RequestPolicy
from control.api.settings import Address, ClientTls, Guard, Profiled, Section
from node.engines.sight import MAX_CONCURRENCY, MAX_COUNT

Kind = Literal["chat", "embeddings", "transcription"]
Engine = Literal[
    "auto",
    "llamacpp",
    "llama-swap",
    "lmstudio",
    "ollama",
    "openai",
    "sglang",
    "speaches",
    "vllm",
    "whispercpp",
]
LoadMode = Literal["none", "on_request"]
Availability = Literal["available", "busy", "draining", "paused_by_user", "offline", "quarantined"]

CONTROL_PORT = 8801
RELAY_PORT = 8802

# What control takes of one host.
HOST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
SERVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._:@+-]*)+")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
MAX_SERVICES = 1_000
MAX_ASSETS = 10_000
MAX_TEXT = 200
MAX_PLACE = 4_096

LLAMACPP_NAMES = frozenset({"llamacpp", "llama.cpp", "llama-server", "llamafile"})


def server_url(value: str) -> str:
    """Return the URL of a model server without what every path adds: a slash, `/v1`.

    Raises:
        ValueError: it is not one.
    """
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        raise PydanticCustomError("url", "write http://HOST:PORT, with a path where needed")
    return value.rstrip("/").removesuffix("/v1").rstrip("/")


def _no_base_url(value: str | None) -> None:
    if value is not None:
        host = urlsplit(value).hostname or "127.0.0.1"
        new = join_address(host, CONTROL_PORT)
        raise PydanticCustomError(
            "retired",
            "nodes no longer speak HTTP to control; write instead `control: {new}`",
            {"new": new},
        )


def _printable(value: str) -> str:
    if not value.isprintable():
        raise PydanticCustomError("printable", "holds a character that cannot be shown")
    return value


def _host_id(host_id: str) -> str:
    if not HOST_ID.fullmatch(host_id):
        raise PydanticCustomError(
            "host_id", "write 1 to 63 letters, digits and ._-, a letter or a digit first"
        )
    if host_id == "provider" or host_id.startswith("external-provider"):
        raise PydanticCustomError("reserved", "is reserved for what control itself offers")
    return host_id


def _folder(path: Path) -> Path:
    if "\0" in str(path):
        raise PydanticCustomError("nul", "holds a NUL, which no path does")
    return path


def _bare(value: str) -> str:
    if value != value.strip():
        raise PydanticCustomError("bare", "has space around it")
    return value


def _variable(value: str) -> str:
    if not VARIABLE.fullmatch(value):
        # What stands there may be a key, so it is not shown.
        raise PydanticCustomError("variable", "write the name of a variable, not the key itself")
    return value


HostId = Annotated[str, AfterValidator(_host_id)]
Url = Annotated[str, AfterValidator(server_url)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT), AfterValidator(_printable)]
Name = Annotated[Text, StringConstraints(min_length=1), AfterValidator(_bare)]
Folder = Annotated[Path, AfterValidator(_folder)]
Key = Annotated[Text, StringConstraints(min_length=1, max_length=63)]
# A word that roles compare, e.g. a tier; empty when it is not told.
Class = Annotated[Text, StringConstraints(max_length=63)]
Names = Annotated[tuple[Name, ...], Field(max_length=64)]
Place = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_PLACE), AfterValidator(_printable)
]


def valid_host_id(hostname: str) -> str:
    """Return `hostname` up to its first dot, made a host id: `Lab PC.lan` becomes `Lab-PC`."""
    words = re.sub(r"[^A-Za-z0-9_-]+", "-", hostname.partition(".")[0]).strip("-_")
    return words[:63] or "node-1"


class Node(Section):
    """Who this machine is."""

    host_id: HostId = Field(default_factory=lambda: valid_host_id(socket.gethostname()))
    display_name: Text = ""
    address: Text = ""
    labels: dict[Key, Text] = Field(default_factory=dict, max_length=64)


class Inventory(Section):
    """What the machine has, and what its owner lends it for."""

    cpu_threads: Annotated[int, Field(ge=1, le=65_536)] | None = None
    ram_gb: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    capabilities: dict[Key, bool] = Field(default_factory=dict, max_length=64)
    trust_tier: Class = ""
    device_class: Class = ""
    workload_classes: Names = ()
    allowed_model_families: Names = ()
    model_roots: Annotated[tuple[Folder, ...], Field(max_length=64)] = ()
    idle_only: bool = False
    ac_power_only: bool = False
    thermal_ceiling_c: Annotated[float, Field(gt=0, le=200)] | None = None
    max_contribution_ram_gb: Annotated[float, Field(gt=0, le=1_000_000)] | None = None


class RelayTls(Guard):
    """The certificate of the door, PEM, and the name in it where it is not the address."""

    certificate: Path
    key: Path
    name: Text = ""


class Relay(Section):
    """The door for gateways elsewhere to servers that only this machine reaches.

    auto: when control is elsewhere, so that gateways may be. address: as gateways reach it,
    host or host:port; empty: as this machine reaches control.
    """

    mode: Literal["auto", "always", "never"] = "auto"
    listen: Address = f"0.0.0.0:{RELAY_PORT}"
    address: Text = ""
    tls: RelayTls | None = None
    connections: Annotated[int, Field(ge=1, le=65_536)] = 1_024


class Locator(Section):
    """Where weights are."""

    kind: Name
    value: Place


class Asset(Section):
    """A model that is declared instead of discovered, or as well."""

    asset_id: Name
    loaded: bool = False
    context_size: Annotated[int, Field(ge=0, le=MAX_COUNT)] | None = None
    max_context_tokens: Annotated[int, Field(ge=0, le=MAX_COUNT)] | None = None
    family: Text = ""
    labels: Names = ()
    request_policy: RequestPolicy | None = None
    modality: Text = ""
    format: Text = ""
    locator: Locator | None = None
    metadata: dict[Key, Text] = Field(default_factory=dict, max_length=64)
    digest: Text = ""

    @property
    def context_tokens(self) -> int:
        """Tokens one request may use, 0 when not declared."""
        return self.max_context_tokens or self.context_size or 0


class State(Section):
    """Whether the owner of a service lets it be used."""

    availability: Availability = "available"
    accept_requests: bool = True
    allow_employee_direct_requests: bool = False

    @property
    def told(self) -> Availability:
        """What control is told; what is not available anyway stays what it is."""
        if self.accept_requests or self.availability not in ("available", "busy"):
            return self.availability
        return "paused_by_user"


class Runtime(Section):
    """What a model server is, for people and for roles that look for it."""

    engine: Text = ""


class Service(Section):
    """A model server on this machine, or reached through it."""

    service_id: Name
    endpoint: Url
    kind: Kind = "chat"
    protocol: Literal["openai"] = "openai"
    api_key_env: Annotated[str, AfterValidator(_variable)] | None = None
    engine: Engine | None = None
    concurrency: Annotated[int, Field(ge=0, le=MAX_CONCURRENCY)] = 0
    load_mode: LoadMode | None = None
    state: State = State()
    assets: tuple[Asset, ...] = ()
    runtime: Runtime = Runtime()
    discover_protocol: Literal["ollama", "openai"] | None = None

    @property
    def asked_as(self) -> Engine | None:
        """How the server is asked; None means: find out."""
        if self.engine is None and self.runtime.engine.lower() in LLAMACPP_NAMES:
            return "llamacpp"
        if self.engine is None and self.discover_protocol == "ollama":
            return "ollama"
        return None if self.engine == "auto" else self.engine

    @property
    def named_engine(self) -> str:
        """What `runtime` says the server is, where it is none that nodes know; else empty."""
        name = self.runtime.engine
        return "" if name.lower() in LLAMACPP_NAMES else name

    @property
    def discovers(self) -> bool:
        """Whether models that the server lists are offered beside the declared ones."""
        return bool(self.engine or self.discover_protocol or not self.assets)


class ControlPlane(Section):
    """The section that `control` replaced."""

    base_url: Annotated[str | None, AfterValidator(_no_base_url)] = None


class Config(Profiled):
    """All settings of a node."""

    control: Address = f"127.0.0.1:{CONTROL_PORT}"
    node_key_env: Name = "GENIEHIVE_NODE_KEY"
    tls: ClientTls | None = None
    node: Node = Field(default_factory=Node)
    inventory: Inventory = Inventory()
    services: tuple[Service, ...] = Field(default=(), max_length=MAX_SERVICES)
    detect_ports: Annotated[tuple[Port, ...], Field(max_length=64)] | None = None
    relay: Relay = Relay()
    drain: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    log: Log = Log()
    control_plane: ControlPlane = Field(default=ControlPlane(), exclude=True)

    @model_validator(mode="after")
    def _service_ids(self) -> Self:
        ids = [self.full_id(service.service_id) for service in self.services]
        for place, service_id in enumerate(ids):
            at = ("services", place, "service_id")
            if not service_id.startswith(f"{self.node.host_id}/"):
                raise PydanticCustomError(
                    "foreign",
                    "'{id}' does not start with '{host}'",
                    {"id": service_id, "host": f"{self.node.host_id}/", "at": at},
                )
            if len(service_id) > MAX_TEXT or not SERVICE_ID.fullmatch(service_id):
                raise PydanticCustomError(
                    "service_id",
                    "'{id}' is more than {most} characters, or other than letters,"
                    " digits and ._-:@+ between slashes",
                    {"id": service_id, "most": MAX_TEXT, "at": at},
                )
            if service_id in ids[:place]:
                raise PydanticCustomError(
                    "twice", "'{id}' is used twice", {"id": service_id, "at": at}
                )
        return self

    @model_validator(mode="after")
    def _api_keys(self) -> Self:
        if self.tls is not None or is_loopback(self.control):
            return self
        for place, service in enumerate(self.services):
            if service.api_key_env is not None:
                raise PydanticCustomError(
                    "plaintext",
                    "the key would travel to control at {control} in plaintext; set `tls`",
                    {"control": self.control, "at": ("services", place, "api_key_env")},
                )
        return self

    @model_validator(mode="after")
    def _assets(self) -> Self:
        for place, service in enumerate(self.services):
            names: set[str] = set()
            for nth, asset in enumerate(service.assets):
                if asset.asset_id in names:
                    at = ("services", place, "assets", nth, "asset_id")
                    raise PydanticCustomError(
                        "twice", "'{name}' is there twice", {"name": asset.asset_id, "at": at}
                    )
                names.add(asset.asset_id)
        if (count := sum(len(service.assets) for service in self.services)) > MAX_ASSETS:
            raise PydanticCustomError(
                "too_many",
                "{count} assets are more than {most}",
                {"count": count, "most": MAX_ASSETS},
            )
        return self

    @property
    def finds(self) -> bool:
        """Whether the node looks for whatever model servers are here."""
        return self.detect_ports is None and not self.services

    def full_id(self, service_id: str) -> str:
        """Return `service_id` with the host's name before it when it has none."""
        return service_id if "/" in service_id else f"{self.node.host_id}/{service_id}"


def out_of_reach(settings: Config) -> list[str]:
    """Return what gateways cannot reach: endpoints of this machine alone, for control elsewhere."""
    relayed = settings.relay.mode != "never"
    if is_loopback(settings.control):
        return []
    found = [
        f"services: {one.service_id} is at {one.endpoint}, which only this machine reaches;"
        " write the address that gateways reach it by"
        for one in settings.services
        if is_loopback(join_address(urlsplit(one.endpoint).hostname or "", 0))
        and not (relayed and one.endpoint.startswith("http:"))
    ]
    if (settings.detect_ports or settings.finds) and not relayed:
        found.append(
            "detect_ports: what is found there is registered at 127.0.0.1, which only this machine"
            " reaches; write services with the address that gateways reach them by, or"
            " relay.mode: auto"
        )
    return found
