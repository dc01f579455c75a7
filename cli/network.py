"""Where other machines reach this one."""

import socket

from control.api.ports import join_address, parse_address
from node.listeners import own_addresses

WILDCARDS = frozenset({"0.0.0.0", "::"})
# For documentation only (RFC 5737, RFC 3849): nothing is sent there, but the system says
# which of its addresses it would send from, which is the one of the default route.
ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
DISCARD = 9


def reached_at(listen: str) -> str | None:
    """Return where others reach what listens at `listen`; None without a network."""
    host, port = parse_address(listen)
    if host not in WILDCARDS:
        return listen
    own = own_address(only_ipv4=host == "0.0.0.0")
    return None if own is None else join_address(own, port)


def own_address(*, only_ipv4: bool = False) -> str | None:
    """Return the address of this machine that others reach it by; None without a network.

    It is the one of the default route, else the first there is.
    """
    for family, address in ELSEWHERE[:1] if only_ipv4 else ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as asking:
                asking.connect((address, DISCARD))
                own: str = asking.getsockname()[0]
        except OSError:
            continue
        if own not in WILDCARDS:
            return own
    left = (one for one in own_addresses() if not one.startswith("127.") and one != "::1")
    return next((one for one in left if not (only_ipv4 and ":" in one)), None)
