"""Requests that are over, as a gateway remembers them."""

from dataclasses import dataclass

import msgspec

from gateway.record import Attempt, Record
from gateway.totals import ANSWERED

BEGAN = 1_775_583_000.0


def record(number: int = 0, **fields: object) -> Record:
    """Return what is told of one that was answered, but for `fields`. number: grows with time."""
    made = Record(
        request_id=f"req_{number:032x}",
        client_id="",
        principal="anonymous",
        operation="chat",
        model="mentor",
        began=BEGAN + number,
        outcome=ANSWERED,
        status=200,
        attempts=[Attempt(0.0004, "tower/ollama", "tower", "qwen3:14b")],
        sent=0.0004,
        first_byte=0.8004,
        ended=3.4,
        prompt_tokens=812,
        completion_tokens=164,
    )
    return msgspec.structs.replace(made, **fields)


@dataclass(frozen=True, slots=True, eq=False)
class Over:
    """An exchange that is over."""

    told: Record

    @property
    def noteworthy(self) -> bool:
        return self.told.noteworthy

    def record(self) -> Record:
        return self.told
