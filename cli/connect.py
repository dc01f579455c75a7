"""Points a client at a gateway: finds what answers now, and tries it with one real request."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli import gateway, snippets
from cli.output import BAD, NOT_ALLOWED, UNKNOWN, Failure, Output, clean
from cli.snippets import Target
from cli.text import duration

TRY_SECONDS = 60.0  # a model may be loaded first
MOST_TRIES = 3
MAX_TOKENS = 8
KINDS = {"role": 0, "asset": 1}  # by what is tried first
EXIT_CODES = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: UNKNOWN}
BUSY = frozenset({429, 502, 503, 504})  # another model may answer all the same


@dataclass(frozen=True, slots=True)
class Tried:
    """One real request, and what became of it."""

    url: str
    model: str
    status: int  # 0: no answer
    seconds: float
    said: str = ""  # why it is no good; empty when it is

    def text(self) -> str:
        """Return the line for people."""
        outcome = f"{self.status} in {duration(self.seconds)}" if self.status else "no answer"
        return f"tried: POST {self.url} {self.model}: {outcome}"

    @property
    def document(self) -> Mapping[str, object]:
        """The same for programs."""
        return {
            "url": self.url,
            "model": self.model,
            "ok": not self.said,
            "status": self.status or None,
            "latency_ms": round(self.seconds * 1_000, 1),
            "error": self.said or None,
        }


def connect(output: Output, name: str, address: str | None, model: str | None, state: Path) -> None:
    """Print what points the client `name` at the gateway, and say whether it answers.

    address: of the gateway, as it was given.

    Raises:
        Failure: no gateway is reached, or nothing answers there.
    """
    if name in snippets.LATER:
        here = ", ".join(snippets.SNIPPETS)
        raise Failure(
            f"{name} cannot be connected: {snippets.LATER[name]}",
            BAD,
            "not_served",
            fix=f"geniehive connect CLIENT, with one of {here}",
        )
    url = gateway.gateway_url(address, state)
    key = gateway.client_key(address, state)
    with gateway.client(url, key) as client:
        names = [model] if model else chat_names(listed(client, url, output.timeout))
        tried = first_that_answers(client, url, names, output.say)
    text = snippets.SNIPPETS[name](Target(url, tried.model, keyed=key is not None))
    if output.as_json:
        content = {"client": name, "base_url": f"{url}/v1", "model": tried.model}
        output.document("connect", {**content, "snippet": text, "tried": tried.document})
    else:
        output.answer(text)
        if remark := snippets.REMARKS.get(name):
            output.say(f"note: {remark}")
        output.say(clean(tried.text()))
    if tried.said:
        code = EXIT_CODES.get(tried.status, BAD)
        if output.as_json:
            sys.exit(code)  # the document says why
        message = f"{tried.model} did not answer: {tried.said}"
        raise Failure(message, code, "no_answer", fix="geniehive status")


def listed(client: httpx.Client, url: str, timeout: float) -> Sequence[Mapping[str, Any]]:
    """Return what `GET /v1/models` lists."""
    answer = gateway.get(client, "/v1/models", timeout)
    data = gateway.field(gateway.content(answer), "data")
    if answer.status_code != httpx.codes.OK or not isinstance(data, list):
        message = f"gateway {url} does not list models: {answer.status_code} {gateway.said(answer)}"
        raise Failure(message, BAD, "no_models", fix="geniehive status")
    return [one for one in data if isinstance(one, dict) and isinstance(one.get("id"), str)]


def chat_names(listed: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names to try: roles first, then models, what is in memory first.

    Raises:
        Failure: there is none.
    """
    found = []
    for one in listed:
        told = one.get("geniehive")
        about = told if isinstance(told, dict) else {}
        if about.get("operation", "chat") == "chat" and _serves(about):
            kind = KINDS.get(str(about.get("route_type")), len(KINDS))
            found.append((kind, not about.get("loaded_asset_count", 1), one["id"]))
    if not found:
        raise Failure("no model answers chats now", BAD, "no_models", fix="geniehive status")
    return [name for _, _, name in sorted(found)]


def _serves(about: Mapping[str, Any]) -> bool:
    """Return whether somebody serves it, as far as the gateway tells."""
    return bool(about.get("services", True)) and about.get("healthy_target_count") != 0


def first_that_answers(
    client: httpx.Client, url: str, names: Sequence[str], say: Callable[[str], None]
) -> Tried:
    """Return the first request that was answered, or else the last one."""
    for name in names[:MOST_TRIES]:
        say(clean(f"trying {name} at {url} ..."))
        tried = _try(client, url, name)
        if not tried.said or not (tried.status in BUSY or "operation" in tried.said):
            break
    return tried


def _try(client: httpx.Client, url: str, model: str) -> Tried:
    target = f"{url}/v1/chat/completions"
    body = {**snippets.hello(model), "max_tokens": MAX_TOKENS}
    began = time.monotonic()
    try:
        answer = client.post("/v1/chat/completions", json=body, timeout=TRY_SECONDS)
    except httpx.HTTPError as error:
        return Tried(target, model, 0, time.monotonic() - began, gateway.why(error))
    took = time.monotonic() - began
    if answer.status_code != httpx.codes.OK:
        return Tried(target, model, answer.status_code, took, gateway.said(answer))
    choices = gateway.field(gateway.content(answer), "choices")
    said = "" if isinstance(choices, list) and choices else "the answer has no choices"
    return Tried(target, model, answer.status_code, took, said)
