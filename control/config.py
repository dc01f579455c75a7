"""What an operator can set: one YAML file, every key of it optional."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from control.api.logs import Log
from control.api.ports import is_loopback
from control.api.settings import Address, Guard, Profiled, Section
from control.api.tracing import Tracing
from control.pace import Rhythm
from control.rules.routing_config import Routing

# What fits into a header and into gRPC metadata, of a length that nobody exceeds by chance.
Key = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[\x21-\x7e]+$")]

# Not in what a traceback or a log shows of the settings.
Keys = Annotated[tuple[Key, ...], Field(repr=False)]


class Server(Section):
    """Where the gateway that `geniehive up` starts listens; control itself does not use it."""

    host: str = "127.0.0.1"
    port: int = Field(default=8800, ge=0, le=65_535)


class Auth(Guard):
    """Keys by kind of caller. An empty list switches the check of that kind off."""

    client_api_keys: Keys = ()
    node_api_keys: Keys = ()
    gateway_api_keys: Keys = ()
    operator_api_keys: Keys = ()
    admin_api_keys: Keys = ()

    @property
    def holds_keys(self) -> bool:
        """Whether there is any key at all."""
        return bool(self.client_api_keys) or any(self.keys.values())

    @property
    def scraper_keys(self) -> Keys:
        """Keys of which a scraper needs one; none while operators need none."""
        return self.operator_api_keys and self.operator_api_keys + self.admin_api_keys

    @property
    def keys(self) -> dict[str, Keys]:
        """The keys of control's own callers, by kind."""
        return {
            "node": self.node_api_keys,
            "gateway": self.gateway_api_keys,
            "operator": self.operator_api_keys,
            "admin": self.admin_api_keys,
        }


class Tls(Guard):
    """PEM files. With `client_ca`, callers must present a certificate of it."""

    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Tls":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        if self.client_ca is not None and self.certificate is None:
            raise ValueError("client_ca needs certificate and key")
        return self


def _file(path: Path) -> Path:
    # SQLite takes the word for no file at all, and a cluster that forgets itself.
    if str(path) == ":memory:":
        raise ValueError("a file is expected, not :memory:")
    return path


class Storage(Section):
    """Where the database is; the folder is made when it is not there. Local disks only."""

    sqlite_path: Annotated[Path, AfterValidator(_file)] = Path("state/geniehive.sqlite3")


class Registry(Section):
    """The pace of a small fleet; a large one beats slower, so often in all and no more."""

    heartbeat_interval_s: float = Field(default=5.0, ge=0.1, le=300)
    max_heartbeats_per_s: float = Field(default=500.0, ge=1, le=100_000)
    lease_intervals: int = Field(default=3, ge=2, le=20)
    grace_s: float = Field(default=30.0, ge=0, le=3_600)

    @property
    def rhythm(self) -> Rhythm:
        """The same, for the pure code."""
        return Rhythm(self.heartbeat_interval_s, self.lease_intervals, self.max_heartbeats_per_s)


class Metrics(Guard):
    """Where scrapers find `/metrics`; nowhere while it is null."""

    listen: Address | None = None


class Config(Profiled):
    """The whole file. `foundation` is the profile of organisations: it forgives less."""

    listen: Address = "127.0.0.1:8801"
    server: Server = Server()
    auth: Auth = Auth()
    tls: Tls = Tls()
    storage: Storage = Storage()
    registry: Registry = Registry()
    routing: Routing = Routing()
    roles_path: Path | None = None
    metrics: Metrics = Metrics()
    log: Log = Log()
    tracing: Tracing = Tracing()


def exposure(config: Config) -> str | None:
    """Return why `config` would leave control open to a network, or None."""
    # TLS alone keeps secrets, not people; certificates of callers keep people.
    if is_loopback(config.listen) or config.tls.client_ca is not None:
        return None
    lists = ("client_api_keys", "node_api_keys", "gateway_api_keys")
    if missing := [name for name in lists if not getattr(config.auth, name)]:
        names = ", ".join(f"auth.{name}" for name in missing)
        return (
            f"listen {config.listen} is open to everybody on the network;"
            f" set {names}, or tls.client_ca with tls.certificate and tls.key,"
            " or start with --insecure"
        )
    return None


def engine_key_refusal(config: Config) -> str | None:
    """Return why `config` cannot keep the keys of engines secret, or None.

    They come from nodes and go to gateways: beyond one machine neither in plaintext, nor to
    whoever asks.
    """
    if is_loopback(config.listen):
        return None
    if config.tls.certificate is None:
        return (
            f"control listens at {config.listen} without TLS; set its tls.certificate and tls.key,"
            " and tls of nodes and gateways"
        )
    if config.tls.client_ca is None and not config.auth.gateway_api_keys:
        return "everybody may be a gateway; set auth.gateway_api_keys or tls.client_ca of control"
    return None


def metrics_exposure(config: Config) -> str | None:
    """Return why `config` would tell a network how the cluster is, or None."""
    address = config.metrics.listen
    if address is None or is_loopback(address) or config.auth.operator_api_keys:
        return None
    return (
        f"metrics.listen {address} tells everybody on the network how the cluster is;"
        " set auth.operator_api_keys, of which a scraper then needs one, or start with --insecure"
    )


def open_kinds(config: Config, *, insecure: bool) -> frozenset[str]:
    """Return the kinds of callers that need no key.

    People are let in without a key on their own machine only, or with a certificate.
    Nobody is an administrator by a certificate, which nodes have too, nor by default
    where operators need a key.
    """
    kinds = {kind for kind, keys in config.auth.keys.items() if not keys}
    mutual = config.tls.client_ca is not None
    if not (is_loopback(config.listen) or mutual or insecure):
        kinds -= {"operator"}
    if mutual or "operator" not in kinds:
        kinds -= {"admin"}
    return frozenset(kinds)
