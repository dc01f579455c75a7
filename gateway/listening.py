"""Sockets that clients connect to: one, or one for each worker on the same port."""

import socket
import sys

from control.api import ports

BACKLOG = 2_048
# Of what a client has not taken yet the system holds so much, not megabytes: who reads slowly
# is noticed, and who reads fast has the rest on its way.
MAX_UNSENT = 128 << 10
# Only Linux spreads new connections evenly over sockets that share a port. A single socket
# that all workers accept from is woken in bursts: 256 connections came to 216 and 40.
SPREADS = sys.platform == "linux"


def listen(address: str, *, shared: bool = False, later: bool = False) -> socket.socket:
    """Return a socket that listens on `address`.

    shared: whether others of the same user may listen there too, if they say so as well.
    later: it has the address, and no client is led to it before somebody accepts from it.

    Raises:
        OSError: the address cannot be had. ValueError: it is not one.
    """
    host, port = ports.parse_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small writes at once only where it knows that it is TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT)
        listener.bind((host, port))
        if not later:
            listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def listen_together(address: str, workers: int, *, shared: bool = False) -> list[socket.socket]:
    """Return the sockets of all workers, on one port; a single one where that is as good.

    shared: as for `listen`, and about others than our own workers; then it is `later`, too.

    Raises:
        OSError: the address cannot be had. ValueError: it is not one.
    """
    first = listen(address, shared=shared, later=shared)
    if workers == 1 or not SPREADS:
        return [first]
    # It found a free port, and out that nobody else has it. Now it is in the way.
    found = address_of(first)
    first.close()
    listeners: list[socket.socket] = []
    try:
        for _ in range(workers):
            listeners.append(listen(found, shared=True, later=shared))
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def address_of(listener: socket.socket) -> str:
    """Return where `listener` listens, `host:port`."""
    return ports.join_address(*listener.getsockname()[:2])
