"""How gateways reach what only this machine reaches."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Way:
    """Through a door of the node."""

    address: str  # host:port
    token: str = field(repr=False)
    tls: bool = False
    tls_name: str = ""  # in its certificate, where it is not the address
