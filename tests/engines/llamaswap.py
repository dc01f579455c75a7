"""A stand-in for llama-swap, which starts a server for whatever is asked for.

Its traps: `GET /unload` unloads everything, `GET /upstream/MODEL/...` starts that model.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence

from tests.engines.server import StandIn, run
from tests.fakes import answers
from tests.fakes.answers import Step
from tests.fakes.engine import Request


class LlamaSwap(StandIn):
    """`tells`: whether its list says what is loaded, as newer versions do.

    states: of what was started, by model: starting, ready, stopping.
    """

    def __init__(self, models: Sequence[str] = (), *, tells: bool = True) -> None:
        super().__init__(slots=1)
        self.models = list(models)
        self.states: dict[str, str] = {}
        self.tells = tells

    def routes(self):
        return {
            "GET /health": lambda _: answers.whole(b"OK"),
            "GET /v1/models": self.listed,
            "GET /running": self.running_now,
            "GET /unload": self.unload,
            "POST /api/models/unload": self.unload,
            "POST /api/models/unload/{model}": self.unload_one,
            "GET /upstream/{path}": self.upstream,
            "POST /v1/chat/completions": self.chat,
            "POST /v1/embeddings": self.chat,
        }

    def not_found(self, request: Request) -> Iterable[Step]:
        return answers.whole(b"404 page not found", 404)

    def listed(self, _: Request) -> Iterable[Step]:
        entries = []
        for name in self.models:
            entry: dict[str, object] = {
                "id": name,
                "object": "model",
                "created": 1_763_000_000,
                "owned_by": "llama-swap",
            }
            if self.tells:
                ready = self.states.get(name) == "ready"
                entry["status"] = {"value": "loaded" if ready else "unloaded"}
            entries.append(entry)
        return answers.document({"object": "list", "data": entries})

    def running_now(self, _: Request) -> Iterable[Step]:
        entries = [
            {"model": name, "state": state, "cmd": "llama-server", "proxy": "", "ttl": 0}
            for name, state in self.states.items()
        ]
        return answers.document({"running": entries})

    def unload(self, _: Request) -> Iterable[Step]:
        self.states.clear()
        return answers.whole(b"OK")

    def unload_one(self, _: Request, model: str) -> Iterable[Step]:
        self.states.pop(model, None)
        return answers.whole(b"OK")

    def upstream(self, _: Request, path: str) -> Iterable[Step]:
        self.start_model(path.partition("/")[0])
        return answers.document({})

    def start_model(self, name: str) -> None:
        """Have `name` run, and nothing else: it swaps."""
        self.states = {name: "ready"}

    def chat(self, request: Request) -> Iterable[Step]:
        name = request.json()["model"]
        if name not in self.models:
            return answers.failure(404, f"could not find real modelID for {name}")
        self.start_model(name)
        return self.inference(request)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.engines.llamaswap", description=__doc__)
    sys.exit(run(lambda given: LlamaSwap(given.model or ["qwen3-4b"]), parser))
