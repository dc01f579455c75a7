"""A stand-in for LM Studio, with its API of version 1, or of version 0 alone.

Its traps: 200 for paths that it does not know, and a list that is of everything on disk
while it loads on request, else of what is in memory.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence

from tests.engines.server import StandIn, run
from tests.fakes import answers
from tests.fakes.answers import Step
from tests.fakes.engine import Request

MAX_CONTEXT = 32_768
CONTEXT = 4_096


class LMStudio(StandIn):
    """`loads`: on request. `v1`: whether it has that API.

    instances: what is in memory, by the name that was given to it.
    """

    def __init__(self, models: Sequence[str] = (), *, loads: bool = True, v1: bool = True) -> None:
        super().__init__(slots=4)
        self.disk = list(models)
        self.instances: dict[str, str] = {}
        self.loads = loads
        self.v1 = v1

    def routes(self):
        return {
            "GET /v1/models": self.listed,
            "GET /api/v0/models": self.facts_v0,
            "GET /api/v1/models": self.facts_v1,
            "POST /api/v1/models/load": self.load,
            "POST /api/v1/models/unload": self.unload,
            "POST /v1/chat/completions": self.chat,
            "POST /v1/embeddings": self.chat,
        }

    def not_found(self, request: Request) -> Iterable[Step]:
        words = f"Unexpected endpoint or method. ({request.method} {request.target})"
        return answers.document({"error": words}, 200)

    def listed(self, _: Request) -> Iterable[Step]:
        names = self.disk if self.loads else list(self.instances)
        entries = [
            {"id": name, "object": "model", "owned_by": "organization_owner"} for name in names
        ]
        return answers.document({"object": "list", "data": entries})

    def facts_v0(self, _: Request) -> Iterable[Step]:
        entries = []
        for name in self.disk:
            loaded = name in self.instances.values()
            entry = {
                "id": name,
                "object": "model",
                "type": "embeddings" if embeds(name) else "vlm" if "vl" in name else "llm",
                "publisher": "somebody",
                "arch": "nomic-bert" if embeds(name) else "qwen3",
                "compatibility_type": "gguf",
                "quantization": "Q4_K_M",
                "state": "loaded" if loaded else "not-loaded",
                "max_context_length": MAX_CONTEXT,
                "capabilities": ["tool_use"],
            }
            entries.append({**entry, "loaded_context_length": CONTEXT} if loaded else entry)
        return answers.document({"object": "list", "data": entries})

    def facts_v1(self, request: Request) -> Iterable[Step]:
        if not self.v1:
            return self.not_found(request)
        entries = [
            {
                "type": "embedding" if embeds(name) else "llm",
                "publisher": "somebody",
                "key": name,
                "display_name": name.title(),
                "architecture": "nomic-bert" if embeds(name) else "qwen3",
                "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
                "size_bytes": 241_410_208,
                "params_string": "270M",
                "loaded_instances": [
                    {"id": instance, "config": {"context_length": CONTEXT}}
                    for instance, key in self.instances.items()
                    if key == name
                ],
                "max_context_length": MAX_CONTEXT,
                "format": "gguf",
                **(
                    {}
                    if embeds(name)
                    else {"capabilities": {"vision": "vl" in name, "trained_for_tool_use": True}}
                ),
            }
            for name in self.disk
        ]
        return answers.document({"models": entries})

    def load(self, request: Request) -> Iterable[Step]:
        instance = self.bring(request.json()["model"])
        told = {"type": "llm", "instance_id": instance, "load_time_seconds": 0.1}
        return answers.document({**told, "status": "loaded"})

    def unload(self, request: Request) -> Iterable[Step]:
        instance = request.json()["instance_id"]
        if self.instances.pop(instance, None) is None:
            return answers.document({"error": {"message": "no such instance"}}, 404)
        return answers.document({"instance_id": instance})

    def bring(self, name: str) -> str:
        """Load `name` once more; return what the instance is called."""
        number = sum(key == name for key in self.instances.values()) + 1
        instance = name if number == 1 else f"{name}:{number}"
        self.instances[instance] = name
        return instance

    def chat(self, request: Request) -> Iterable[Step]:
        name = request.json()["model"]
        if name not in self.disk or not (self.loads or name in self.instances.values()):
            return answers.failure(404, f"Model {name} is not loaded", "invalid_request_error")
        if name not in self.instances.values():
            self.bring(name)
        return self.inference(request)


def embeds(name: str) -> bool:
    return "embed" in name


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.engines.lmstudio", description=__doc__)
    parser.add_argument("--v0", action="store_true", help="without the API of version 1")
    sys.exit(run(lambda given: LMStudio(given.model or ["qwen3-4b"], v1=not given.v0), parser))
