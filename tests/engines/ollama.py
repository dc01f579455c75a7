"""A stand-in for Ollama, as its own API pulls, loads, unloads and deletes models.

Its traps: names grow `:latest`, `/api/ps` is about memory and `/api/tags` about the disk,
what embeds refuses to chat, and older versions do not say what a model can do.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.engines.server import StandIn, run
from tests.fakes import answers
from tests.fakes.answers import Step
from tests.fakes.engine import Request

VERSION = "0.12.6"
CONTEXT = 4_096
DAY = "2026-11-20T08:00:00.000000001Z"


@dataclass(frozen=True, slots=True)
class Weights:
    """A model on disk."""

    name: str
    embeds: bool
    family: str
    size: int = 986_061_892
    remote_host: str = ""

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()

    @property
    def capabilities(self) -> list[str]:
        return ["embedding"] if self.embeds else ["completion", "tools"]


def weights(name: str) -> Weights:
    """Return what is pulled as `name`; what embeds has that in its name, as most do."""
    embeds = any(word in name for word in ("embed", "minilm", "bge"))
    family = "bert" if embeds else name.partition(":")[0].rstrip("0123456789.-")
    return Weights(full(name), embeds, family)


def full(name: str) -> str:
    """Return a name with its tag."""
    return name if ":" in name else f"{name}:latest"


class Ollama(StandIn):
    """`old`: of the versions whose list does not say what a model can do.

    most: models in memory; the one that came first makes room.
    """

    def __init__(
        self, models: Sequence[str] = (), *, old: bool = False, most: int = 3, queue: int = 512
    ) -> None:
        super().__init__(slots=1)
        self.disk = {full(name): weights(name) for name in models}
        self.memory: dict[str, Weights] = {}
        self.old = old
        self.most = most
        self.queue = queue

    def routes(self):
        return {
            "GET /": lambda _: answers.whole(b"Ollama is running"),
            "GET /api/version": lambda _: answers.document({"version": VERSION}),
            "GET /api/tags": self.tags,
            "GET /api/ps": self.ps,
            "POST /api/show": self.show,
            "POST /api/pull": self.pull,
            "DELETE /api/delete": self.delete,
            "POST /api/generate": self.generate,
            "POST /api/embed": self.embed,
            "GET /v1/models": self.listed,
            "POST /v1/chat/completions": lambda request: self.asked(request, embeds=False),
            "POST /v1/embeddings": lambda request: self.asked(request, embeds=True),
        }

    def not_found(self, request: Request) -> Iterable[Step]:
        return answers.whole(b"404 page not found", 404)

    def tags(self, _: Request) -> Iterable[Step]:
        return answers.document({"models": [self.entry(one) for one in self.disk.values()]})

    def ps(self, _: Request) -> Iterable[Step]:
        running = [
            {
                **self.entry(one),
                "expires_at": DAY,
                "size_vram": one.size,
                "context_length": CONTEXT,
            }
            for one in self.memory.values()
        ]
        return answers.document({"models": running})

    def entry(self, one: Weights) -> dict[str, object]:
        told: dict[str, object] = {
            "name": one.name,
            "model": one.name,
            "modified_at": DAY,
            "size": one.size,
            "digest": one.digest,
            "details": {
                "parent_model": "",
                "format": "gguf",
                "family": one.family,
                "families": [one.family],
                "parameter_size": "1.5B",
                "quantization_level": "Q4_K_M",
            },
        }
        if one.remote_host:
            told |= {"remote_host": one.remote_host, "remote_model": one.name}
        return told if self.old else {**told, "capabilities": one.capabilities}

    def listed(self, _: Request) -> Iterable[Step]:
        entries = [
            {"id": name, "object": "model", "created": 1_763_000_000, "owned_by": "library"}
            for name in self.disk
        ]
        # A list that is empty is told as null.
        return answers.document({"object": "list", "data": entries or None})

    def show(self, request: Request) -> Iterable[Step]:
        if (one := self.found(request)) is None:
            return missing(request)
        return answers.document(
            {"details": {"family": one.family}, "capabilities": one.capabilities}
        )

    def pull(self, request: Request) -> Iterable[Step]:
        asked = request.json()
        one = weights(asked.get("model") or asked["name"])
        self.disk[one.name] = one
        self.notice()
        if asked.get("stream") is False:
            return answers.document({"status": "success"})
        steps = [{"status": "pulling manifest"}, {"status": "success"}]
        lines = [json.dumps(one).encode() + b"\n" for one in steps]
        return answers.chunked(lines, headers=[("Content-Type", "application/x-ndjson")])

    def delete(self, request: Request) -> Iterable[Step]:
        if (one := self.found(request)) is None:
            return missing(request)
        del self.disk[one.name]
        self.memory.pop(one.name, None)
        return answers.whole(b"")

    def generate(self, request: Request) -> Iterable[Step]:
        """Load, or with `keep_alive` 0 unload; nothing is ever generated here."""
        if (one := self.found(request)) is None:
            return missing(request)
        told = {"model": request.json()["model"], "created_at": DAY, "response": "", "done": True}
        if request.json().get("keep_alive") == 0:
            self.memory.pop(one.name, None)
            return answers.document({**told, "done_reason": "unload"})
        self.load(one)
        return answers.document({**told, "done_reason": "load"})

    def embed(self, request: Request) -> Iterable[Step]:
        if (one := self.found(request)) is None:
            return missing(request)
        self.load(one)
        texts = request.json()["input"]
        count = len(texts) if isinstance(texts, list) else 1
        told = {"model": request.json()["model"], "embeddings": [[0.5] * 4] * count}
        return self.work(answers.document(told))

    def asked(self, request: Request, *, embeds: bool) -> Iterable[Step]:
        name = request.json()["model"]
        one = self.found(request)
        if one is None:
            return answers.failure(404, f"model {name!r} not found, try pulling it first")
        if one.embeds and not embeds:
            return answers.failure(400, f'"{one.name}" does not support chat', "api_error")
        if self.waiting >= self.queue:
            words = "server busy, please try again.  maximum pending requests exceeded"
            return answers.failure(503, words, "api_error")
        self.load(one)
        return self.inference(request)

    def load(self, one: Weights) -> None:
        while len(self.memory) >= self.most and one.name not in self.memory:
            del self.memory[next(iter(self.memory))]
        self.memory[one.name] = one
        self.notice()

    def found(self, request: Request) -> Weights | None:
        asked = request.json()
        return self.disk.get(full(asked.get("model") or asked.get("name", "")))


def missing(request: Request) -> Iterable[Step]:
    name = request.json().get("model")
    return answers.document({"error": f"model '{name}' not found"}, 404)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.engines.ollama", description=__doc__)
    parser.add_argument("--old", action="store_true", help="does not say what a model can do")
    sys.exit(run(lambda given: Ollama(given.model or ["qwen3"], old=given.old), parser))
