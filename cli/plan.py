"""What `geniehive up` starts, decided before anything is started."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.keys import Keys
from cli.network import WILDCARDS
from cli.output import USAGE, Failure
from control.api import auth
from control.api.ports import is_loopback, join_address, parse_address
from control.api.settings import SettingsError, read
from control.api.strategies import Strategy
from control.config import Config, engine_key_refusal
from node.config import server_url
from node.listeners import USUAL_PORTS

LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"
ENGINE_KEY = "GENIEHIVE_ENGINE_KEY"  # the variable with what the given engines ask for
# Where no file says otherwise; docs/routing.md says why.
STRATEGY = Strategy.EXPECTED_COMPLETION
# Below the 10 s after which a child is killed; the node gives its lease back then.
GATEWAY_DRAIN_SECONDS = 8.0
NODE_DRAIN_SECONDS = 7.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything listens and what it is told. Port 0: the kernel chooses."""

    state: Path
    control: str
    gateway: str
    settings: Config = field(default_factory=Config)  # of control
    engines: tuple[str, ...] = ()  # as given; when there are any, none are looked for
    engine_key: str = field(default="", repr=False)  # of these; empty when they ask for none
    keys: Keys | None = None  # of the state folder, which are asked for beside the file's

    @property
    def run(self) -> Path:
        """Where the children's settings are."""
        return self.state / "run"

    @property
    def logs(self) -> Path:
        """Where the children's logs are."""
        return self.state / "logs"

    @property
    def client_key(self) -> str | None:
        """A key that the gateway accepts; None: it asks for none."""
        return next(iter(self.settings.auth.client_api_keys), None)

    @property
    def node_key(self) -> str | None:
        """A key that control accepts of nodes; None: it asks for none."""
        return next(iter(self.settings.auth.node_api_keys), None)

    @property
    def gateway_key(self) -> str | None:
        """A key that control accepts of gateways; None: it asks for none."""
        return next(iter(self.settings.auth.gateway_api_keys), None)

    @property
    def reader(self) -> auth.Metadata:
        """What we present to see the cluster: an operator's key, else a gateway's."""
        keys = self.settings.auth
        if key := next(iter([*keys.operator_api_keys, *keys.admin_api_keys]), None):
            return auth.metadata("operator", key)
        return auth.metadata("gateway", self.gateway_key)

    def control_file(self, listen: str) -> dict[str, object]:
        """Return the settings of control; its database lives in the state folder."""
        settings: dict[str, Any] = self.settings.model_dump(mode="json")
        if "default_strategy" not in self.settings.routing.model_fields_set:
            settings["routing"]["default_strategy"] = STRATEGY.value
        if "sqlite_path" not in self.settings.storage.model_fields_set:
            settings["storage"] = {"sqlite_path": str(self.state / "geniehive.sqlite3")}
        return {**settings, "listen": listen}

    def node_file(self, control: str, servers: Mapping[str, str]) -> dict[str, object]:
        """Return the settings of the node. servers: URLs to register in any case, by name."""
        services = [{"service_id": name, "endpoint": url} for name, url in servers.items()]
        for service in services:
            if self.engine_key and service["endpoint"] in self.engines:
                service["api_key_env"] = ENGINE_KEY
        found = list(USUAL_PORTS) if servers else None
        ports = [] if self.engines else found
        return {
            "control": control,
            "services": services,
            "detect_ports": ports,
            "drain": NODE_DRAIN_SECONDS,
        }

    def gateway_file(self, control: str, listen: str) -> dict[str, object]:
        """Return the settings of the gateway."""
        return {
            "listen": listen,
            "control": control,
            "drain": GATEWAY_DRAIN_SECONDS,
            "state_dir": str(self.state),
        }


def plan(
    state: Path,
    port: int | None = None,
    control_port: int | None = None,
    config: Path | None = None,
    engines: tuple[str, ...] = (),
    keys: Keys | None = None,
) -> tuple[Plan, list[str]]:
    """Return what to start, and warnings about the file.

    port, control_port: as asked for; None: as the file says. keys: others may come, who know
    these.

    Raises:
        Failure: the file cannot be used, or the key of the engines.
    """
    try:
        settings, warnings = read(config, Config)
        settings = settings if keys is None else _for_others(settings, keys)
        engine_key = (auth.key_from(ENGINE_KEY) if engines else None) or ""
    except SettingsError as error:
        raise Failure(str(error), USAGE, "invalid_config") from error
    if settings.tls.certificate is not None:
        raise Failure(
            f"{config}: tls: geniehive up speaks to control without TLS, on this machine",
            USAGE,
            "invalid_config",
            fix="start them apart: geniehive control, geniehive node, geniehive gateway",
        )
    if engine_key and (refusal := engine_key_refusal(settings)) is not None:
        message = f"{ENGINE_KEY} cannot be taken: {refusal}"
        raise Failure(message, USAGE, "invalid_config")
    host, written = parse_address(settings.listen)
    server = settings.server
    made = Plan(
        state=state.resolve(),
        control=join_address(host, written if control_port is None else control_port),
        gateway=join_address(server.host, server.port if port is None else port),
        settings=settings,
        engines=tuple(map(_engine, engines)),
        engine_key=engine_key,
        keys=keys,
    )
    if not (is_loopback(made.gateway) or made.client_key):
        raise Failure(
            f"the gateway would listen at {made.gateway}, open to the network, without keys;"
            " set auth.client_api_keys",
            USAGE,
            "open_to_network",
            fix="geniehive up --lan: it makes keys",
        )
    return made, warnings


def _for_others(settings: Config, keys: Keys) -> Config:
    """Return `settings` for a network: everywhere, where the file does not say, and with `keys`."""
    auth = settings.auth
    kinds = ("client", "node", "gateway", "operator", "admin")
    lists = {f"{kind}_api_keys": getattr(keys, kind) for kind in kinds}
    changed: dict[str, object] = {
        "auth": auth.model_copy(
            update={name: (key, *getattr(auth, name)) for name, key in lists.items()}
        )
    }
    if "listen" not in settings.model_fields_set:
        changed["listen"] = join_address(EVERYWHERE, parse_address(settings.listen)[1])
    if "host" not in settings.server.model_fields_set:
        changed["server"] = settings.server.model_copy(update={"host": EVERYWHERE})
    return settings.model_copy(update=changed)


def reachable(address: str) -> str:
    """Return where this machine reaches a listener of its own: a wildcard becomes loopback."""
    host, port = parse_address(address)
    return join_address(LOOPBACK if host in WILDCARDS else host, port)


def service_name(url: str) -> str:
    """Return a name for the server at `url` that stays the same: `engine-127.0.0.1-8080`."""
    return "engine-" + re.sub(r"[^A-Za-z0-9._-]+", "-", url.partition("://")[2])


def _engine(url: str) -> str:
    try:
        return server_url(url)
    except ValueError as error:
        raise Failure(f"--engine {url}: {error}", USAGE, "invalid_engine") from error
