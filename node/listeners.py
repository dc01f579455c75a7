"""What listens on this machine and is, or may be, a model server.

Nothing here needs privileges: an engine of another user is found on its usual port alone.
"""

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

LOOPBACK = "127.0.0.1"
# Ollama; llama.cpp, llama-swap and whisper.cpp; vLLM and speaches; LM Studio; SGLang.
USUAL_PORTS = (11434, 8080, 8000, 1234, 30000)
ENGINES = (
    "koboldcpp",
    "llama-",
    "llamafile",
    "lm studio",
    "lm-studio",
    "lms",
    "ollama",
    "sglang",
    "speaches",
    "vllm",
    "whisper-",
)
MAX_ADDRESSES = 16  # of a machine; containers add many, of which none is of interest
MAX_LISTENERS = 256


@dataclass(frozen=True, slots=True)
class Listener:
    """A place of this machine where a model server may be. process: its name, if known."""

    port: int
    process: str = ""
    host: str = LOOPBACK


@dataclass(frozen=True, slots=True)
class Process:
    """A process that may listen; `places` are host and port of its listening sockets."""

    name: str
    parent: str
    places: tuple[tuple[str, int], ...] = ()


def listening() -> tuple[Listener, ...]:
    """Return where model servers may be: usual ports, and wherever a known engine listens.

    It looks at every process, which takes some ms: not for an event loop.
    """
    return may_serve(engine_processes(), own_addresses())


def may_serve(processes: Iterable[Process], addresses: Iterable[str]) -> tuple[Listener, ...]:
    """Return the places to ask, loopback before other addresses.

    addresses: this machine's own, by which a server that is not on loopback is reached.
    """
    found = [
        Listener(port, one.name, reached)
        for one in processes
        # What an engine starts for a model is its own affair, e.g. each runner of Ollama.
        if not is_engine(one.parent)
        for host, port in one.places
        for reached in _reached(host)
    ]
    known = {one.port for one in found}
    usual = [
        Listener(port, host=host)
        for host in (LOOPBACK, *addresses)
        for port in USUAL_PORTS
        if port not in known
    ]
    found.sort(key=lambda one: (not _is_loopback(one.host), one.port, one.host))
    return tuple(dict.fromkeys([*found, *usual]))[:MAX_LISTENERS]


def is_engine(process: str) -> bool:
    """Return whether a process of that name is a model server."""
    return process.lower().startswith(ENGINES)


def engine_processes() -> list[Process]:
    """Return the processes of engines, as far as the system tells of them."""
    running: Mapping[int, psutil.Process] = {one.pid: one for one in psutil.process_iter(["name"])}
    found = []
    for process in running.values():
        name = process.info["name"] or ""
        if is_engine(name):
            try:
                parent = running.get(process.ppid())
                places = tuple(_places(process))
            except psutil.Error:
                continue  # another user's, or it ended meanwhile
            found.append(Process(name, (parent.info["name"] or "") if parent else "", places))
    return found


def own_addresses() -> list[str]:
    """Return the addresses of this machine, IPv4 first, but for 127.0.0.1."""
    found = []
    for interface in psutil.net_if_addrs().values():
        for one in interface:
            # A link-local address of IPv6 means nothing without its interface.
            usable = one.family in (socket.AF_INET, socket.AF_INET6) and "%" not in one.address
            if usable and one.address != LOOPBACK:
                found.append(one.address)
    return sorted(found, key=lambda address: ":" in address)[:MAX_ADDRESSES]


def _places(process: psutil.Process) -> Iterable[tuple[str, int]]:
    # Its name until version 6 of psutil.
    asked = getattr(process, "net_connections", None) or process.connections
    for one in asked("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr:
            yield one.laddr.ip, one.laddr.port


def _reached(host: str) -> tuple[str, ...]:
    address = ipaddress.ip_address(host.partition("%")[0])
    if not address.is_unspecified:
        return (host,)
    # `::` takes IPv4 as well, unless it was told not to.
    return (LOOPBACK,) if address.version == 4 else (LOOPBACK, "::1")


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback
