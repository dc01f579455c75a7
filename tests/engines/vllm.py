"""vLLM: one model in memory, routes by its task, metrics that count, and a sleep that hangs.

As its real answers in `recorded/vllm` show it.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.engines.server import Request, Route, StandIn, run
from tests.fakes import answers
from tests.fakes.answers import Hang, Step

RECORDED = Path(__file__).with_name("recorded") / "vllm"
BOUNDS = ("0.3", "0.5", "1.0", "5.0", "60.0", "+Inf")
ROUTES = {
    "chat": ("/v1/chat/completions", "/v1/completions"),
    "embeddings": ("/v1/embeddings", "/pooling"),
    "transcription": ("/v1/audio/transcriptions",),
}


class Vllm(StandIn):
    """models: names of the one model. task: `chat`, `embeddings` or `transcription`."""

    ENGINE = "vllm"
    PREFIX = "vllm"

    def __init__(
        self,
        models: Sequence[str] = ("qwen3",),
        *,
        task: str = "chat",
        context: int = 2048,
        version: str = "0.32.0",
        dead: bool = False,
        metrics: bool = True,
        slots: int = 4,
        pace: float = 0.0,
        words: int = 8,
    ) -> None:
        self.models = list(models)
        self.task = task
        self.context = context
        self.version = version
        self.dead = dead
        self.metrics = metrics
        self.asleep = False
        self.seconds: list[float] = []  # that each answer took
        super().__init__(slots=slots, pace=pace, words=words)

    def routes(self) -> Mapping[str, Route]:
        routes: dict[str, Route] = {
            "GET /health": lambda _: answers.whole(b"", 503 if self.dead else 200),
            "GET /ping": lambda _: answers.whole(b""),
            "GET /version": lambda _: answers.document({"version": self.version}),
            "GET /v1/models": lambda _: answers.document(self.listed()),
            "GET /metrics": lambda _: self.counted(),
            "GET /load": lambda _: answers.document({"server_load": self.running + self.waiting}),
            "GET /is_sleeping": lambda _: answers.document({"is_sleeping": self.asleep}),
            "POST /sleep": lambda _: self.sleep(True),
            "POST /wake_up": lambda _: self.sleep(False),
        }
        for path in ROUTES[self.task]:
            routes[f"POST {path}"] = self.infer
            routes[f"GET {path}"] = lambda _: answers.document(
                {"detail": "Method Not Allowed"}, 405
            )
        return routes

    def not_found(self, request: Request) -> Iterable[Step]:
        """Return what FastAPI answers where there is no route."""
        return answers.document({"detail": "Not Found"}, 404)

    def listed(self) -> object:
        """Return the answer of `/v1/models`."""
        entries = [
            {
                "id": model,
                "object": "model",
                "owned_by": self.ENGINE,
                "root": "weights",
                "parent": None,
                "max_model_len": self.context,
            }
            for model in self.models
        ]
        return {"object": "list", "data": entries}

    def infer(self, request: Request) -> Iterable[Step]:
        """Answer, or hang as the real one does while it sleeps."""
        if self.asleep:
            return [Hang()]
        asked = request.json()
        if (model := asked["model"]) not in self.models:
            aliases = ", ".join(self.models)
            message = f"The model `{model}` does not exist. Valid aliases: {aliases}."
            return refusal(404, "NotFoundError", "model", message)
        if (most := asked.get("max_tokens", 1)) < 1:
            message = f"max_tokens must be at least 1, got {most}. "
            message += f"(parameter=max_tokens, value={most})"
            return refusal(400, "BadRequestError", "max_tokens", message)
        return self.inference(request)

    def worked(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def sleep(self, asleep: bool) -> Iterable[Step]:
        """Fall asleep or wake up."""
        self.asleep = asleep
        return answers.document({"status": "sleeping" if asleep else "awake"})

    def counted(self) -> Iterable[Step]:
        """Answer as `/metrics` does."""
        if not self.metrics:
            return self.not_found(self.requests[-1])
        text = "\n".join(self.samples()) + "\n"
        return answers.whole(text.encode(), headers=[("Content-Type", "text/plain; version=1.0.0")])

    def samples(self) -> Iterator[str]:
        """Yield the lines of `/metrics`."""
        yield self.line("num_requests_running", self.running)
        yield self.line("num_requests_waiting", self.waiting)
        yield self.line("kv_cache_usage_perc", 0.01 * self.running)
        for state, now in (("awake", not self.asleep), ("weights_offloaded", self.asleep)):
            yield self.line("engine_sleep_state", int(now), sleep_state=state)
        yield from self.answered()
        yield from self.sums("request_prompt_tokens", 7 * len(self.seconds), len(self.seconds))
        yield from self.sums("request_prefill_time_seconds", 0.01 * len(self.seconds), 1)

    def answered(self) -> Iterator[str]:
        """Yield what is counted of each answer."""
        yield from self.histogram("e2e_request_latency_seconds", self.seconds)
        yield from self.histogram("time_to_first_token_seconds", self.seconds)
        tokens = self.words * len(self.seconds)
        yield from self.sums("inter_token_latency_seconds", sum(self.seconds), tokens)

    def histogram(self, name: str, values: Sequence[float]) -> Iterator[str]:
        """Yield a histogram of `values`."""
        for bound in BOUNDS:
            below = sum(value <= float(bound) for value in values)
            yield self.line(f"{name}_bucket", below, le=bound)
        yield from self.sums(name, sum(values), len(values))

    def sums(self, name: str, total: float, count: int) -> Iterator[str]:
        """Yield the sum and the count of a histogram."""
        yield self.line(f"{name}_sum", total)
        yield self.line(f"{name}_count", count)

    def line(self, name: str, value: float, **labels: str) -> str:
        """Return one sample."""
        of = {"engine": "0", "model_name": self.models[0], **labels}
        written = ",".join(f'{key}="{text}"' for key, text in of.items())
        return f"{self.PREFIX}:{name}{{{written}}} {float(value)}"


def refusal(status: int, kind: str, parameter: str, message: str) -> Iterable[Step]:
    """Return an error in the words of vLLM."""
    error = {"message": message, "type": kind, "param": parameter, "code": status}
    return answers.document({"error": error}, status)


def make(given: argparse.Namespace) -> Vllm:
    """Return the stand-in that the command line asks for."""
    return Vllm(given.model or ["qwen3"], task=given.task, pace=given.pace)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.engines.vllm", description=__doc__)
    parser.add_argument("--task", choices=sorted(ROUTES), default="chat")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds before each word")
    sys.exit(run(make, parser))
