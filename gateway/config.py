"""What an operator may set about a gateway."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from control.api.logs import Log
from control.api.settings import Address, ClientTls, Profiled, Section
from control.api.tracing import Tracing

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Bytes = Annotated[int, Field(ge=1_024, le=1 << 30)]

MAX_WORKERS = 64


class Patience(Section):
    """How long some engines may take; null: as `Timeouts` says."""

    connect: Seconds | None = None
    first_byte: Seconds | None = None
    first_event: Seconds | None = None
    idle: Seconds | None = None
    total: Seconds | None = None


class Timeouts(Section):
    """How long engines and clients may take.

    first_byte: until the head of an answer, first_event: from there to the first event of a
    stream. idle: bounds the gap between two chunks, not the answer. total: over all attempts.
    operations: by name. services: by id, or by a pattern of ids; the first that fits counts.
    """

    connect: Seconds = 5.0
    first_byte: Seconds = 300.0
    first_event: Seconds = 300.0
    idle: Seconds = 120.0
    total: Seconds = 3_600.0
    operations: dict[Literal["chat", "embeddings"], Patience] = Field(default_factory=dict)
    services: dict[str, Patience] = Field(default_factory=dict)
    ping: Annotated[float, Field(ge=0, le=3_600)] = 15.0
    keep_alive: Seconds = 75.0
    request_head: Seconds = 10.0
    request_body: Seconds = 60.0

    def of_operation(self, operation: str) -> Patience:
        """Return what is told of an operation; nothing, if none is."""
        told = (one for name, one in self.operations.items() if name == operation)
        return next(told, Patience())


class Failover(Section):
    """How often a request is tried elsewhere before its first byte.

    attempts: of one request, the first one included. share: of the requests under way that
    may be at a second or later attempt, and `minimum` of them always.
    """

    attempts: Annotated[int, Field(ge=1, le=32)] = 5
    share: Share = 0.2
    minimum: Annotated[int, Field(ge=0, le=1_000)] = 3


class Ejection(Section):
    """When a service is kept out of rotation, and how it returns.

    failures: in a row. share: of at least `requests` within `window` seconds. pause: seconds
    until it is looked at again. slow_start: seconds in which it comes back to its full part.
    panic: when a larger share of the services of a name is out, those that still answer are
    asked all the same.
    """

    failures: Annotated[int, Field(ge=1, le=1_000)] = 5
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    requests: Annotated[int, Field(ge=1, le=100_000)] = 10
    window: Seconds = 10.0
    pause: Seconds = 10.0
    slow_start: Annotated[float, Field(ge=0, le=3_600)] = 10.0
    panic: Share = 0.5


class Limits(Section):
    """What one process takes on.

    In bytes: what one request or answer may weigh, and `memory` all that are under way.
    requests: under way. waiting: of these, for a service that is free; where they do not wait,
    `requests_per_slot` may be at a service for each that it serves at the same time, or
    `requests_per_service` where that is not known. 0 per key: no limit.
    """

    request_body: Bytes = 10 << 20
    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 4_096
    json_answer: Bytes = 24 << 20  # nothing else is done for the 0.1 s that takes
    memory: Annotated[int, Field(ge=1 << 20, le=1 << 40)] = 512 << 20
    requests: Count = 4_096
    requests_per_key: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    waiting: Annotated[int, Field(ge=0, le=100_000)] = 1_000
    requests_per_slot: Count = 64
    requests_per_service: Count = 1_024


class GatewayLog(Log):
    """`requests`: whether each request gets a line of its own."""

    requests: bool = False


class Config(Profiled):
    """The whole file."""

    listen: Address = "127.0.0.1:8800"
    control: Address = "127.0.0.1:8801"
    gateway_id: str = ""
    gateway_key_env: str = "GENIEHIVE_GATEWAY_KEY"
    tls: ClientTls | None = None
    timeouts: Timeouts = Timeouts()
    failover: Failover = Failover()
    ejection: Ejection = Ejection()
    limits: Limits = Limits()
    reasoning: Literal["strip", "pass"] = "strip"
    door: Literal["protocol", "asgi"] = "protocol"
    drain: Seconds = 10.0
    workers: int = Field(default=1, ge=1, le=MAX_WORKERS)
    reuse_port: bool = False
    state_dir: Path | None = None
    log: GatewayLog = GatewayLog()
    tracing: Tracing = Tracing()

    @property
    def state_folder(self) -> Path:
        """Where the gateway keeps what it needs to start without control."""
        return self.state_dir or Path(os.environ.get("GENIEHIVE_STATE_DIR") or "state")
