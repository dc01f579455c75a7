"""Addresses that we listen on, and who already does."""

from ipaddress import ip_address

import psutil

MAX_PORT = 65_535


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`; an IPv6 host stands in brackets.

    Raises:
        ValueError: the text is not an address, or the port is not 0 to 65,535.
    """
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    # `isascii` because `isdecimal` accepts digits of every script.
    digits = port.isascii() and port.isdecimal() and len(port) <= 5
    usable = bool(host) and not set(host) & set("[]" if bracketed else "[]:")
    if not colon or not usable or not digits:
        raise ValueError(f"{address!r} is not host:port")
    if int(port) > MAX_PORT:
        raise ValueError(f"port {port} is above {MAX_PORT}")
    return host, int(port)


def is_loopback(address: str) -> bool:
    """Return whether only this machine reaches `host:port`."""
    host, _ = parse_address(address)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def join_address(host: str, port: int) -> str:
    """Return `host:port`; an IPv6 host is put in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def describe(address: str) -> str:
    """Return who listens on the port of `address`: `used by pid 4121 (llama-swap)`.

    `in use` when the system does not tell, for instance for another user's process.
    """
    _, port = parse_address(address)
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status != psutil.CONN_LISTEN or connection.pid is None:
                continue
            if connection.laddr and connection.laddr.port == port:
                name = psutil.Process(connection.pid).name()
                return f"used by pid {connection.pid} ({name})"
    except psutil.Error:
        # Some systems tell nothing to an ordinary user; a process may just have ended.
        pass
    return "in use"
