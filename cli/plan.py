"""What `geniehive up` starts, decided before anything is started."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import Field

from cli.output import USAGE, Failure
from control.api.ports import join_address, parse_address
from control.api.settings import Section, SettingsError, load
from node.engines.detect import USUAL_PORTS

GATEWAY_PORT, CONTROL_PORT = 8800, 8801
LOOPBACK = "127.0.0.1"
WILDCARDS = frozenset({"0.0.0.0", "::"})
GATEWAY_DRAIN_SECONDS = 8.0  # below the 10 s after which a child is killed


class _Server(Section):
    host: str = LOOPBACK
    port: int | None = Field(default=None, ge=0, le=65_535)


class _Auth(Section):
    client_api_keys: tuple[str, ...] = ()
    node_api_keys: tuple[str, ...] = ()
    gateway_api_keys: tuple[str, ...] = ()
    operator_api_keys: tuple[str, ...] = ()
    admin_api_keys: tuple[str, ...] = ()


class _Storage(Section):
    sqlite_path: str | None = None


class _ControlFile(Section):
    """The part of control's settings that decides how the others are started."""

    listen: str | None = None
    server: _Server = _Server()
    auth: _Auth = _Auth()
    storage: _Storage = _Storage()
    tls: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything listens and what it is told. Port 0: the kernel chooses."""

    state: Path
    control: str = join_address(LOOPBACK, CONTROL_PORT)
    gateway: str = join_address(LOOPBACK, GATEWAY_PORT)
    engines: tuple[str, ...] = ()  # as given; when there are any, none are looked for
    settings: Mapping[str, object] = field(default_factory=dict)  # of control, as in its file
    client_key: str | None = None
    node_key: str | None = None
    gateway_key: str | None = None
    operator_key: str | None = None

    @property
    def run(self) -> Path:
        """Where the children's settings are."""
        return self.state / "run"

    @property
    def logs(self) -> Path:
        """Where the children's logs are."""
        return self.state / "logs"

    @property
    def keyed(self) -> bool:
        """Whether clients must present a key."""
        return self.client_key is not None

    def control_file(self, listen: str) -> dict[str, object]:
        """Return the settings of control; the database lives in the state folder."""
        storage = {"sqlite_path": str(self.state / "geniehive.sqlite3")}
        given = self.settings.get("storage")
        merged = storage | (dict(given) if isinstance(given, dict) else {})
        return {**self.settings, "listen": listen, "storage": merged}

    def node_file(self, control: str, engines: tuple[str, ...]) -> dict[str, object]:
        """Return the settings of the node. engines: servers to register in any case."""
        services = [
            {"service_id": f"engine-{parse_url_port(url)}", "endpoint": url} for url in engines
        ]
        ports = [] if self.engines else list(USUAL_PORTS)
        return {"control": control, "services": services, "detect_ports": ports}

    def gateway_file(self, control: str, listen: str) -> dict[str, object]:
        """Return the settings of the gateway."""
        return {"listen": listen, "control": control, "drain": GATEWAY_DRAIN_SECONDS}


def plan(
    state: Path,
    port: int | None = None,
    control_port: int | None = None,
    config: Path | None = None,
    engines: tuple[str, ...] = (),
) -> Plan:
    """Return what to start. port, control_port: as asked for; None: as the file says.

    Raises:
        Failure: the file cannot be used.
    """
    found = _ControlFile()
    settings: dict[str, object] = {}
    if config is not None:
        try:
            # What is not ours to read is for control to judge.
            found, _ = load(config, _ControlFile, strict=False)
        except SettingsError as error:
            raise Failure(str(error), USAGE, "invalid_config") from error
        settings = yaml.safe_load(config.read_text()) or {}
    if found.tls:
        raise Failure(
            f"{config}: tls: geniehive up speaks to control without TLS, on this machine",
            USAGE,
            "invalid_config",
            fix="start them apart: geniehive control, geniehive node, geniehive gateway",
        )
    try:
        host, written = parse_address(found.listen or join_address(LOOPBACK, CONTROL_PORT))
    except ValueError as error:
        raise Failure(f"{config}: listen: {error}", USAGE, "invalid_config") from error
    server = GATEWAY_PORT if found.server.port is None else found.server.port
    auth = found.auth
    return Plan(
        state=state.resolve(),
        control=join_address(host, written if control_port is None else control_port),
        gateway=join_address(found.server.host, server if port is None else port),
        engines=engines,
        settings=settings,
        client_key=_first(auth.client_api_keys),
        node_key=_first(auth.node_api_keys),
        gateway_key=_first(auth.gateway_api_keys),
        operator_key=_first(auth.operator_api_keys, auth.admin_api_keys),
    )


def reachable(address: str) -> str:
    """Return where this machine reaches a listener of its own: a wildcard becomes loopback."""
    host, port = parse_address(address)
    return join_address(LOOPBACK if host in WILDCARDS else host, port)


def parse_url_port(url: str) -> str:
    """Return what tells the servers of one machine apart: the port, else the name."""
    return url.rstrip("/").removesuffix("/v1").rpartition("/")[2].rpartition(":")[2]


def _first(*lists: tuple[str, ...]) -> str | None:
    return next((key for keys in lists for key in keys), None)
