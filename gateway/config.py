"""What an operator may set about a gateway."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from control.api.logs import Log
from control.api.settings import Address, ClientTls, Profiled, Section
from control.api.tracing import Tracing

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Bytes = Annotated[int, Field(ge=1_024, le=1 << 30)]

MAX_WORKERS = 64


class Timeouts(Section):
    """How long an engine may take; `idle` bounds the gap between two chunks, not the answer."""

    connect: Seconds = 5.0
    first_byte: Seconds = 300.0
    idle: Seconds = 120.0
    keep_alive: Seconds = 75.0
    total: Seconds = 3_600.0
    request_head: Seconds = 10.0
    request_body: Seconds = 60.0


class Limits(Section):
    """What one request or answer may weigh, in bytes."""

    request_body: Bytes = 10 << 20
    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 4_096
    json_answer: Bytes = 24 << 20  # nothing else is done for the 0.1 s that takes


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
