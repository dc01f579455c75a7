"""What comes back, as it comes: text, times and counts of a streamed chat, or of vectors."""

import json
from dataclasses import dataclass, field
from typing import Any

MAX_BYTES = 16 << 20  # of one answer
MAX_WORD = 200  # characters of a name or a code
DONE = b"[DONE]"


class Unreadable(Exception):
    """An answer that is not what was asked for; the message is one word for the report."""


@dataclass(slots=True)
class Heard:
    """A streamed chat so far.

    times: when an event with output came, visible or not, on the clock of `feed`.
    failure: an error that the stream told, in one word. usage: as the last event told it.
    """

    text: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    failure: str = ""
    ended: bool = False
    _line: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes, now: float) -> None:
        """Take what came at `now`, in seconds.

        Raises:
            Unreadable: it is no stream of chat events.
        """
        self._line += data
        if b"\n" not in data:
            return
        *lines, rest = bytes(self._line).split(b"\n")
        self._line = bytearray(rest)
        for line in lines:
            if line.startswith(b"data:"):
                self._take(line[5:].strip(), now)

    def _take(self, content: bytes, now: float) -> None:
        if content == DONE:
            self.ended = True
            return
        event = parsed(content)
        if "error" in event:
            self.failure = failure_in(event) or "stream_error"
        self.model = word(event, "model") or self.model
        if isinstance(usage := event.get("usage"), dict):
            self.usage = usage
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else {}
        if not isinstance(choice, dict):
            raise Unreadable("bad_answer")
        self.ended |= choice.get("finish_reason") is not None
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._hear(delta, now)

    def _hear(self, delta: dict[str, Any], now: float) -> None:
        content = said(delta, "content")
        if content:
            self.text.append(content)
        if content or said(delta, "reasoning_content") or said(delta, "reasoning"):
            self.times.append(now)


def vectors_in(content: bytes) -> tuple[list[list[float]], dict[str, Any]]:
    """Return the vectors of an answer in the order of their inputs, and all that it says.

    Raises:
        Unreadable: it is no answer about embeddings.
    """
    answer = parsed(content)
    data = answer.get("data")
    try:
        entries = sorted(data or [], key=lambda entry: int(entry["index"]))
        vectors = [[_number(value) for value in entry["embedding"]] for entry in entries]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Unreadable("bad_answer") from error
    return vectors, answer


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(value)
    return float(value)


def failure_in(answer: dict[str, Any]) -> str:
    """Return the word that an error body has for what went wrong; empty when it has none."""
    error = answer.get("error")
    if not isinstance(error, dict):
        return ""
    return word(error, "code") or word(error, "type")


def count(usage: dict[str, Any], name: str) -> int | None:
    """Return a count of tokens; None when it is none that can be believed."""
    value = usage.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= MAX_BYTES else None  # a token is a byte at least


def parsed(content: bytes) -> dict[str, Any]:
    """Return the JSON object in `content`.

    Raises:
        Unreadable: it is none.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unreadable("bad_answer") from error
    if not isinstance(found, dict):
        raise Unreadable("bad_answer")
    return found


def said(source: dict[str, Any], name: str) -> str:
    """Return a text of `source`; what is no text, null for instance, is empty."""
    value = source.get(name)
    return value if isinstance(value, str) else ""


def word(source: dict[str, Any], name: str) -> str:
    """Return a text of `source` that is a name or a code: short, and of whole characters."""
    return said(source, name)[:MAX_WORD].encode("utf-8", "replace").decode()
