"""`geniehive join`: a node of this machine in the cluster of another, until Ctrl-C."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # no stubs

from cli import cluster, engines, running, up
from cli.access import Access
from cli.children import Child, Command
from cli.files import write_private
from cli.output import BAD, NOT_ALLOWED, USAGE, Failure, Output
from cli.screen import Screen
from cli.text import duration, gpus
from control.api.auth import KEY, key_from
from control.api.ports import is_loopback, join_address, parse_address
from control.api.secret_files import read_secret
from control.api.settings import SettingsError, validate
from node import config
from node.engines import http
from node.listeners import USUAL_PORTS
from node.machine.gpus import Gpus, makers

VARIABLE = "GENIEHIVE_NODE_KEY"
# The node says these; what follows the refusal is control's own reason.
OUTCOME = re.compile(r"\bregistered as (\S+) \(|\bcontrol refuses this host: (.*)")
NEWS = re.compile(
    r"\b(?P<away>control is silent)|\b(?P<back>control answers again|registered as)"
    r"|\bcontrol refuses this host: (?P<refused>.*)"
)
FOLLOW_SECONDS = 0.5
DRAIN_SECONDS = 7.0  # below the 10 s after which a child is killed
MAX_REASON = 300
LAN = "run there: geniehive up --lan"


@dataclass(frozen=True, slots=True)
class Joining:
    """Where to, as whom, and the folder of this machine's node."""

    control: str
    folder: Path
    node_key: str | None = field(default=None, repr=False)
    host_id: str | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def access(self) -> Access:
        """How control is reached."""
        return Access(self.control, self.folder, self.ca, self.certificate, self.key)

    def node_file(self, relay: str) -> dict[str, object]:
        """Return the settings of the node. relay: where it listens for gateways."""
        files = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
        tls = {name: str(path.resolve()) for name, path in files.items() if path is not None}
        return {
            "control": self.control,
            "node_key_env": VARIABLE,
            "node": {"host_id": self.host_id} if self.host_id else {},
            "tls": tls or None,
            "relay": {"listen": relay},
            "drain": DRAIN_SECONDS,
        }


def control_of(address: str) -> str:
    """Return host:port of control, with the usual port where none is told.

    Raises:
        Failure: it is no such address.
    """
    has_port = re.search(r"[^:]:\d+$|\]:\d+$", address) is not None
    whole = address if has_port else f"{address}:{config.CONTROL_PORT}"
    try:
        _, port = parse_address(whole)
        usable = port != 0 and re.fullmatch(r"[A-Za-z0-9._:%\[\]-]+", whole) is not None
    except ValueError:
        usable = False
    if not usable:
        raise Failure(
            f"{address[:100]!r} is no address: write HOST, HOST:PORT or [IPV6]:PORT", USAGE, "usage"
        )
    return whole


def node_key(file: Path | None) -> str | None:
    """Return the key of the file, else of the environment; None without one.

    Raises:
        Failure: there is none that can be used; it is not shown.
    """
    try:
        if file is None:
            return key_from(VARIABLE)
        key = read_secret(file).decode("ascii").strip()
    except SettingsError as error:
        raise Failure(str(error), USAGE, "invalid_key") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Failure(f"--key-file {file}: {why}", USAGE, "invalid_key") from error
    except UnicodeDecodeError:
        key = ""
    if not KEY.fullmatch(key):
        raise Failure(f"--key-file {file} holds no key", USAGE, "invalid_key")
    return key


def join(what: Joining, output: Output) -> None:
    """Run until SIGINT or SIGTERM; a second one does not wait for requests in flight.

    Raises:
        Failure: control is not reached, or does not take this machine.
    """
    up.make_folders(what.folder)
    up.require_none_running(what.folder)
    _check(what)
    took = reach(what, output.timeout)
    running.write(what.folder, running.ourselves(what.control))
    try:
        up.run(Joined(what, output, took, everywhere(what.control)))
    finally:
        running.remove(what.folder)


def reach(what: Joining, timeout: float) -> float:
    """Return how many seconds control takes to answer.

    Raises:
        Failure: it does not.
    """
    try:
        with cluster.connected(what.access) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout)
            began = time.monotonic()  # by now there is a connection
            stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout)
            return time.monotonic() - began
    except Failure as failure:
        if failure.fix == cluster.START:
            failure.fix = LAN
        raise


def everywhere(control: str) -> str:
    """Return the host of all addresses of this machine, of the kind it reaches control by."""
    host, port = parse_address(control)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0][0]
    except OSError:  # the node says so when it matters
        family = socket.AF_INET
    return "::" if family == socket.AF_INET6 else "0.0.0.0"


def _check(what: Joining) -> None:
    """Refuse what the node would refuse, in the words of who typed it."""
    try:
        validate(what.node_file("0.0.0.0:0"), {}, config.Config, name="join")
    except SettingsError as error:
        if what.host_id and "host_id" in str(error):
            said = error.problems[0].partition("host_id: ")[2]
            message = f"--host-id {what.host_id[:100]!r}: {said}"
            raise Failure(message, USAGE, "usage") from error
        raise Failure(str(error), USAGE, "usage") from error


class Joined:
    """The node of this machine, as a child of this process.

    took: seconds that control took to answer. listen: host where gateways reach the relay.
    """

    def __init__(self, what: Joining, output: Output, took: float, listen: str) -> None:
        self._what = what
        self._output = output
        self._screen = Screen(output)
        self._took = took
        self._listen = listen
        self._child: Child | None = None

    async def live(self) -> None:
        """Start the node, say as what it joined, and when it is cut off and back.

        Raises:
            ExceptionGroup: of a `Failure`, when control does not take it.
        """
        what = self._what
        self._screen.step("control", f"reached  {what.control}  {duration(self._took)}")
        relay = join_address(self._listen, config.RELAY_PORT)
        # Another node may be here, e.g. of a second cluster.
        path = what.folder / "node.yaml"
        free = relay if up.is_free(relay) else join_address(self._listen, 0)
        write_private(path, what.node_file(free))
        log = what.folder / "node.log"
        keys = {VARIABLE: what.node_key} if what.node_key else {}
        child = Child(Command("node", "node", ("--config", str(path)), log, keys), self._screen.say)
        self._child = child
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._engines())
            await child.start()
            said = await child.said(OUTCOME)
            for text in await looking:
                self._screen.step("engines", text)
            if said[2] is not None:
                raise refused(said[2], what)
            found = Gpus(makers())
            await found.look(0.0)
            self._screen.step("joined as", f"{said[1]}    {gpus(found.gpus)} | Ctrl-C leaves")
            if self._output.as_json:
                content = {"control": what.control, "host_id": said[1]}
                self._output.document("join", content)
            group.create_task(child.keep(OUTCOME))
            await self._follow(log)

    async def say_goodbye(self) -> None:
        """Say what a stop waits for."""
        self._screen.say("leaving: requests in flight end first (again to cut)")

    async def stop(self) -> None:
        """Leave the cluster."""
        if self._child is not None:
            await self._child.stop()

    def cut(self) -> None:
        """End it at once."""
        if self._child is not None:
            self._child.kill()

    async def _engines(self) -> list[str]:
        async with http.new_client() as client:
            relayed = not is_loopback(self._what.control)
            ports = " ".join(map(str, USUAL_PORTS))
            none = f"none on {ports} yet: what starts is found by itself"
            return await engines.here(client, relayed=relayed) or [none]

    async def _follow(self, log: Path) -> None:
        """Say when the node is cut off and when it is back, until cancelled."""
        tail, told = Tail(log), ""
        while True:
            for line in tail.lines():
                for text in news(line, self._what.control):
                    if text != told:
                        self._screen.say(text)
                    told = text
            await asyncio.sleep(FOLLOW_SECONDS)


def refused(reason: str, what: Joining) -> Failure:
    """Return what a person can do about a control that does not take this machine."""
    if "another instance" in reason:
        return Failure(
            f"control {what.control}: {reason[:MAX_REASON]}",
            BAD,
            "host_id_in_use",
            fix="--host-id NAME; or stop that node; one that was killed is forgotten in 15 s",
        )
    if "api_keys" in reason:
        sent = "the node key is not known there" if what.node_key else "it wants a node key"
        return Failure(
            f"control {what.control} refused: {sent}",
            NOT_ALLOWED,
            "invalid_api_key",
            fix=f"set {VARIABLE} to the key that geniehive up --lan showed there,"
            " in keys.json of its state folder",
        )
    return Failure(f"control {what.control} refused: {reason[:MAX_REASON]}", BAD, "refused")


def news(line: str, control: str) -> Iterator[str]:
    """Yield what a line of the node's log means for people, if anything."""
    found = NEWS.search(line)
    if found is None:
        return
    if found["away"]:
        yield f"! cut off from control {control}: trying again, what is in flight goes on"
    elif found["refused"]:
        yield f"! control refuses this machine: {found['refused'][:MAX_REASON]}"
    else:
        yield f"+ back at control {control}"


class Tail:
    """Reads what is written to a log from now on, whole lines only."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = log.stat().st_size
        self._rest = ""

    def lines(self) -> list[str]:
        """Return the lines that are new."""
        text = ""
        with suppress(OSError), self._log.open("rb") as file:
            file.seek(self._offset)
            raw = file.read(1 << 20)
            self._offset += len(raw)
            text = raw.decode("utf-8", "replace")
        *lines, self._rest = (self._rest + text).split("\n")
        return lines
