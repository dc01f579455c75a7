"""Machines on one network: namespaces of Linux at a bridge, whose links can be cut in several ways.

Needs root on Linux with network namespaces. Nothing outside of them is touched, and their
names are random, so that runs beside each other do not meet.
"""

import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.promise import NotMeasurable
from tests.processes import Service

NETWORK = "10.77.0"  # nobody else sees it
COMMAND_S = 10.0
NOWHERE = "02:00:00:00:de:ad"  # an address that no machine has


@dataclass(frozen=True, slots=True)
class Machine:
    """One namespace. number: the last part of its address, and of its port at the switch."""

    name: str
    number: int

    @property
    def address(self) -> str:
        return f"{NETWORK}.{self.number}"

    def start(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> Service:
        """Start `python -P -m ARGUMENTS` there."""
        inside = ["ip", "netns", "exec", self.name, sys.executable, "-P", "-m"]
        return Service(list(arguments), log, environment, inside)


@dataclass(frozen=True, slots=True)
class Lan:
    """The switch, and the machines at it by their order."""

    switch: str
    machines: tuple[Machine, ...]

    @contextmanager
    def unplugged(self, machine: Machine) -> Iterator[None]:
        """Take the cable out: both ends see that the link is down."""
        port = ("-n", self.switch, "link", "set", f"p{machine.number}")
        ip(*port, "down")
        yield
        ip(*port, "up")

    @contextmanager
    def silent(self, machine: Machine) -> Iterator[None]:
        """Lose every packet from and to it; nobody is told."""
        port = ("-n", self.switch, "link", "set", f"p{machine.number}")
        ip(*port, "nomaster")  # the port stays up, and leads nowhere
        yield
        ip(*port, "master", "switch")

    @contextmanager
    def deaf(self, machine: Machine) -> Iterator[None]:
        """Lose every packet to it from the first machine, whose own packets still arrive there."""
        neighbour = ["neigh", "replace", machine.address, "lladdr", NOWHERE, "dev", "eth0"]
        ip("-n", self.machines[0].name, *neighbour, "nud", "permanent")
        yield
        ip("-n", self.machines[0].name, "neigh", "del", machine.address, "dev", "eth0")


@contextmanager
def lan(machines: int) -> Iterator[Lan]:
    """Make so many machines at one switch, and remove them with whatever still runs there.

    Raises:
        NotMeasurable: this machine has no namespaces, or not for us.
    """
    run = f"geniehive-{secrets.token_hex(3)}"
    switch = f"{run}-switch"
    made = tuple(Machine(f"{run}-{number}", number) for number in range(1, machines + 1))
    try:
        _namespace(switch)
        ip("-n", switch, "link", "add", "name", "switch", "type", "bridge")
        ip("-n", switch, "link", "set", "switch", "up")
        for one in made:
            _connect(switch, one)
        yield Lan(switch, made)
    finally:
        for name in (switch, *(one.name for one in made)):
            with suppress(NotMeasurable):  # it was not made
                ip("netns", "del", name)


def ip(*words: str) -> None:
    """Run `ip`.

    Raises:
        NotMeasurable: it failed, or is not there.
    """
    try:
        subprocess.run(
            ["ip", *words], check=True, capture_output=True, text=True, timeout=COMMAND_S
        )
    except FileNotFoundError as error:
        raise NotMeasurable("the program ip is not there") from error
    except subprocess.CalledProcessError as error:
        what = f"ip {' '.join(words)}: {error.stderr.strip()}"
        raise NotMeasurable(f"network namespaces: {what}") from error


def _namespace(name: str) -> None:
    ip("netns", "add", name)
    ip("-n", name, "link", "set", "lo", "up")


def _connect(switch: str, one: Machine) -> None:
    _namespace(one.name)
    port = f"p{one.number}"
    pair = ["type", "veth", "peer", "name", port, "netns", switch]
    ip("-n", one.name, "link", "add", "name", "eth0", *pair)
    ip("-n", switch, "link", "set", port, "master", "switch")
    ip("-n", switch, "link", "set", port, "up")
    ip("-n", one.name, "addr", "add", f"{one.address}/24", "dev", "eth0")
    ip("-n", one.name, "link", "set", "eth0", "up")
