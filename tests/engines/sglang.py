"""SGLang: `/health` that generates a token, and the paths of Ollama.

Made from its source: where it asks its scheduler, and what each rank tells.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.engines.server import Request, Route, run
from tests.engines.vllm import Vllm
from tests.fakes import answers
from tests.fakes.answers import Step


class Sglang(Vllm):
    """ranks: of tensor parallelism, each telling the same. old: before names lost their `get_`."""

    ENGINE = "sglang"
    PREFIX = "sglang"

    def __init__(
        self,
        models: Sequence[str] = ("qwen3",),
        *,
        task: str = "chat",
        context: int = 32_768,
        version: str = "0.5.23",
        metrics: bool = True,
        ranks: int = 1,
        old: bool = False,
        slots: int = 4,
        pace: float = 0.0,
        words: int = 8,
    ) -> None:
        self.ranks = ranks
        self.old = old
        self.generated = 0  # tokens that nobody asked for
        super().__init__(
            models,
            task=task,
            context=context,
            version=version,
            metrics=metrics,
            slots=slots,
            pace=pace,
            words=words,
        )

    def routes(self) -> Mapping[str, Route]:
        prefix = "get_" if self.old else ""
        return {
            "GET /health": self.generate,
            "GET /health_generate": self.generate,
            "GET /v1/models": lambda _: answers.document(self.listed()),
            f"GET /{prefix}model_info": lambda _: answers.document(
                {"model_path": "weights", "is_generation": self.task == "chat"}
            ),
            f"GET /{prefix}server_info": lambda _: answers.document(self.info()),
            "GET /metrics": lambda _: self.counted(),
            "GET /api/tags": lambda _: answers.document(
                {"models": [{"name": model, "model": model} for model in self.models]}
            ),
            # There whatever the model.
            "POST /v1/chat/completions": self.infer,
            "POST /v1/embeddings": self.infer,
        }

    def generate(self, request: Request) -> Iterable[Step]:
        """Answer by what the model says, as a check of health."""
        self.generated += 1
        return answers.whole(b"")

    def info(self) -> object:
        """Return the answer of `/server_info`; the real one holds its key as well."""
        states = [{"last_gen_throughput": 0.0, "effective_max_running_requests_per_dp": self.slots}]
        return {"version": self.version, "internal_states": states, "api_key": "secret"}

    def samples(self) -> Iterator[str]:
        for rank in map(str, range(self.ranks)):
            yield self.line("num_running_reqs", self.running, tp_rank=rank)
            yield self.line("num_queue_reqs", self.waiting, tp_rank=rank)
            yield self.line("token_usage", 0.02 * self.running, tp_rank=rank)
            yield self.line("gen_throughput", 0.0, tp_rank=rank)
        if self.seconds:  # what never happened is not there
            yield from self.answered()


def make(given: argparse.Namespace) -> Sglang:
    """Return the stand-in that the command line asks for."""
    return Sglang(given.model or ["qwen3"], pace=given.pace)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.engines.sglang", description=__doc__)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds before each word")
    sys.exit(run(make, parser))
