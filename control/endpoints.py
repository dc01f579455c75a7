"""Which endpoints a node may register.

Gateways connect to whatever a node names, so the address of a machine's own
metadata service, for one, must not be nameable in any spelling. There is one
spelling for each address: what another parser could read differently is refused.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from control.api.auth import KEY, MAX_KEY_CHARACTERS
from control.api.ports import parse_address
from control.inventory import Endpoint, NodeRelay

MAX_BASE_PATH = 200
MAX_ADDRESS = 261  # the longest host name, in brackets, and a port
MAX_SHOWN = 200  # characters of what is refused

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_NUMBER = re.compile(r"\d+|0[xX][0-9A-Fa-f]*")  # what some parsers read as an IPv4 address
_BASE_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*/?")

_FORBIDDEN_V4 = tuple(
    map(IPv4Network, ("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"))
)
_FORBIDDEN_V6 = tuple(map(IPv6Network, ("::/128", "fe80::/10", "fd00:ec2::254/128", "ff00::/8")))
_NAT64 = IPv6Network("64:ff9b::/96")


def refusal(endpoint: Endpoint) -> str | None:
    """Return why a service may not be reached at `endpoint`, or None."""
    if endpoint.relay is not None:
        return _relay_refusal(endpoint, endpoint.relay)
    if not endpoint.direct:
        return "endpoint kind is not one that this control knows"
    return _place_refusal(endpoint)


def _relay_refusal(endpoint: Endpoint, relay: NodeRelay) -> str | None:
    """Return why a gateway may not go through `relay`, or None: only it is connected to."""
    if endpoint.scheme != "http":
        return "endpoint relay passes on http alone"
    if not KEY.fullmatch(relay.token):
        return f"endpoint relay token is not 1 to {MAX_KEY_CHARACTERS} visible ASCII characters"
    door = Endpoint("http", relay.address, tls_name=relay.tls_name)
    if reason := _place_refusal(door):
        return reason.replace("endpoint ", "endpoint relay ", 1)
    # The node alone connects to it, and knows better whether it may.
    if len(endpoint.address) > MAX_ADDRESS or not _ADDRESS.fullmatch(endpoint.address):
        return "endpoint address behind a relay is not a plain host:port"
    return _path_refusal(endpoint.base_path)


def _place_refusal(endpoint: Endpoint) -> str | None:
    if endpoint.scheme not in ("http", "https"):
        return f"endpoint scheme {endpoint.scheme[:MAX_SHOWN]!r} is not http or https"
    if len(endpoint.address) > MAX_ADDRESS:
        return f"endpoint address is longer than {MAX_ADDRESS} characters"
    try:
        host, port = parse_address(endpoint.address)
    except ValueError as error:
        return f"endpoint {error}"
    if port == 0:
        return "endpoint port 0 is no port"
    if reason := _host_refusal(host, bracketed="]:" in endpoint.address):
        return f"endpoint address {endpoint.address!r} {reason}"
    if reason := _path_refusal(endpoint.base_path):
        return reason
    if endpoint.tls_name and not _is_name(endpoint.tls_name):
        return f"endpoint tls_name {endpoint.tls_name[:MAX_SHOWN]!r} is not a host name"
    return None


def _path_refusal(path: str) -> str | None:
    if len(path) > MAX_BASE_PATH or not _BASE_PATH.fullmatch(path) or _climbs(path):
        return f"endpoint base_path {path[:MAX_SHOWN]!r} is not a plain path"
    return None


def _host_refusal(host: str, *, bracketed: bool) -> str | None:
    if not bracketed and _is_name(host):
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return "is neither a host name nor an IP address"
    if isinstance(address, IPv6Address) and (not bracketed or address.scope_id):
        return "is not a plain IPv6 address in brackets"
    if isinstance(address, IPv4Address) and bracketed:
        return "has brackets around an IPv4 address"
    if any(_forbidden(one) for one in (address, *_embedded(address))):
        return "is link-local, multicast, unspecified or a metadata service"
    return None


def _is_name(host: str) -> bool:
    last = host.rstrip(".").rpartition(".")[2]
    return len(host) <= 253 and bool(_NAME.fullmatch(host)) and not _NUMBER.fullmatch(last)


def _forbidden(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in _FORBIDDEN_V4)
    return any(address in network for network in _FORBIDDEN_V6)


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address leads to by some translation."""
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    # `::a.b.c.d` and NAT64 carry the address in their last 32 bits.
    if address in _NAT64 or int(address) >> 32 == 0:
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    # `::1` is loopback, not 0.0.0.1.
    return [one for one in found if one is not None and int(address) != 1]


def _climbs(path: str) -> bool:
    # A percent sign could hide a dot or a slash from us and not from the engine.
    return "%" in path or any(part in (".", "..") for part in path.split("/"))
