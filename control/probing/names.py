"""The addresses of hosts: one look-up of a name at a time, however many wait for it.

A look-up cannot be stopped: where names are not answered, each probe would leave one behind.
"""

import asyncio
import socket
from ipaddress import ip_address
from typing import Any


class Names:
    """Look-ups under way, by name."""

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Future[list[Any]]] = {}

    def __len__(self) -> int:
        return len(self._asked)

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of a host in the order in which they are to be tried.

        Raises:
            OSError: nobody knows the name.
            UnicodeError: no name may be written like that.
        """
        if _is_address(host):
            return [host]
        if (asked := self._asked.get(host)) is None:
            loop = asyncio.get_running_loop()
            looking = loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            asked = self._asked[host] = asyncio.ensure_future(looking)
            asked.add_done_callback(lambda _: self._end(host))
        # Whoever waits may give up; others may still wait, and so may whoever comes next.
        found = await asyncio.shield(asked)
        return list(dict.fromkeys(address[0] for *_, address in found))

    def _end(self, host: str) -> None:
        asked = self._asked.pop(host)
        if not asked.cancelled():
            asked.exception()  # it is nobody's fault that nobody waits any more


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
