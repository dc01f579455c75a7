"""How a client is pointed at a gateway: words to paste, with real values."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cli.gateway import KEY

NO_KEY = "local"  # clients want some key, the gateway takes any where it asks for none


@dataclass(frozen=True, slots=True)
class Target:
    """What a client talks to. keyed: the gateway asks for a key; it is in `KEY`."""

    url: str  # of the gateway, without a path
    model: str
    keyed: bool


def hello(model: str) -> dict[str, object]:
    """Return the body of a small chat."""
    return {"model": model, "messages": [{"role": "user", "content": "Say hello"}]}


def _curl(to: Target) -> str:
    key = f" -H 'Authorization: Bearer '\"${KEY}\"" if to.keyed else ""
    body = shlex.quote(json.dumps(hello(to.model), separators=(",", ":")))
    return (
        f"curl {shlex.quote(f'{to.url}/v1/chat/completions')}{key}"
        f" -H 'Content-Type: application/json' \\\n  -d {body}"
    )


def _python(to: Target) -> str:
    return (
        f"{_import(to)}from openai import OpenAI\n\n"
        f"client = OpenAI(base_url={_text(to.url + '/v1')}, api_key={_key(to)})\n"
        f"answer = client.chat.completions.create(\n"
        f"    model={_text(to.model)},\n"
        '    messages=[{"role": "user", "content": "Say hello"}],\n'
        ")\n"
        "print(answer.choices[0].message.content)"
    )


def _langchain(to: Target) -> str:
    return (
        f"{_import(to)}from langchain_openai import ChatOpenAI\n\n"
        f"chat = ChatOpenAI(\n"
        f"    base_url={_text(to.url + '/v1')},\n"
        f"    api_key={_key(to)},\n"
        f"    model={_text(to.model)},\n"
        ")\n"
        'print(chat.invoke("Say hello").content)'
    )


def _openwebui(to: Target) -> str:
    key = f'"${KEY}"' if to.keyed else NO_KEY
    base = shlex.quote(f"{to.url}/v1")
    return f"OPENAI_API_BASE_URL={base} OPENAI_API_KEY={key} open-webui serve"


def _import(to: Target) -> str:
    return "import os\n\n" if to.keyed else ""


def _key(to: Target) -> str:
    return f'os.environ["{KEY}"]' if to.keyed else f'"{NO_KEY}"'


def _text(text: str) -> str:
    # A JSON text in ASCII is one of Python, and no name of a node can end it.
    return json.dumps(text)


SNIPPETS: Mapping[str, Callable[[Target], str]] = {
    "curl": _curl,
    "python": _python,
    "langchain": _langchain,
    "openwebui": _openwebui,
}
# What cannot be pointed at us, and why.
LATER = {
    "claude": "it speaks the Anthropic Messages API, which is not served yet",
    "codex": "it speaks the Responses API, which is not served yet",
}
REMARKS = {
    "openwebui": "in a container, 127.0.0.1 is the container: use this machine's address there",
}
