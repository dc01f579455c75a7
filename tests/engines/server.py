"""What the stand-ins of engines share: routes, a chat and embeddings that answer, slots.

A stand-in is a class with the state of its engine and a table of routes. In a test:
`async with Ollama(["qwen3"]) as engine`; as a process: `python -m tests.engines.ollama
--port 0 --model qwen3`, which `geniehive up --engine http://127.0.0.1:PORT` then finds.
"""

import argparse
import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes import answers
from tests.fakes.answers import Answer, Pause, Send, Step
from tests.fakes.engine import Engine, Request, openai, serve

Route = Callable[..., Iterable[Step]]  # (request, *the parts of the path in braces)

QUEUE_SECONDS = 0.005  # between two looks for a free slot


class StandIn(Engine):
    """An engine by its routes, `"POST /api/ps/{model}"` each; a part in braces may hold slashes.

    slots: requests that are worked on at the same time, the others wait.
    pace: seconds before each word of an answer. words: of an answer.
    """

    def __init__(self, *, slots: int = 2, pace: float = 0.0, words: int = 8) -> None:
        super().__init__(self._route)
        self.slots = slots
        self.pace = pace
        self.words = words
        self.running = 0  # requests that are worked on
        self.waiting = 0  # requests for which no slot is free
        self.instead: dict[str, Iterable[Step]] = {}  # what a path answers in its place
        self._routes = [(*_pattern(name), route) for name, route in self.routes().items()]

    def routes(self) -> Mapping[str, Route]:
        """Return what is answered; `chat` and `embeddings` may be among it."""
        raise NotImplementedError

    def paths(self) -> list[str]:
        """Return what was asked, oldest first, as `GET /api/tags`."""
        return [f"{one.method} {one.target}" for one in self.requests]

    def not_found(self, request: Request) -> Iterable[Step]:
        """Return the answer to what has no route."""
        return answers.failure(404, "File Not Found", "not_found_error")

    def inference(self, request: Request) -> Iterable[Step]:
        """Answer a chat or embeddings for whatever model is asked for, in OpenAI's shape."""
        script = openai([request.json()["model"]], words=self.words, pace=self.pace)
        return self.work(script(request))

    def work(self, answer: Iterable[Step]) -> Iterator[Step]:
        """Yield `answer` as soon as a slot is free; `worked` is told how long it took."""
        self.waiting += 1
        try:
            while self.running >= self.slots:
                yield Pause(QUEUE_SECONDS)
        finally:
            self.waiting -= 1
        self.running += 1
        started = time.monotonic()
        try:
            yield from answer
        finally:
            self.running -= 1
            self.worked(time.monotonic() - started)

    def worked(self, seconds: float) -> None:
        """Take note that an answer is over, given in full or not."""

    def _route(self, request: Request) -> Answer:
        target = urlsplit(request.target)
        method = "GET" if request.method == "HEAD" else request.method
        if target.path in self.instead:
            return self.instead[target.path]
        for wanted, path, route in self._routes:
            if wanted == method and (found := path.fullmatch(unquote(target.path))):
                answer = route(request, *found.groups())
                return _headed(answer) if request.method == "HEAD" else answer
        return self.not_found(request)


def asked(request: Request, name: str) -> str:
    """Return a value of the query, empty when it is not there."""
    return parse_qs(urlsplit(request.target).query).get(name, [""])[0]


def run(make: Callable[[argparse.Namespace], StandIn], parser: argparse.ArgumentParser) -> int:
    """Be the process of a stand-in until SIGTERM: `make` it of the arguments."""
    parser.add_argument("--port", type=int, default=0, help="0 lets the kernel choose")
    parser.add_argument("--model", action="append", default=[], help="may be given several times")
    given = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    asyncio.run(serve(make(given), given.port))
    return 0


def _pattern(name: str) -> tuple[str, re.Pattern[str]]:
    method, path = name.split(" ")
    parts: Sequence[str] = re.split(r"\{\w+\}", path)
    return method, re.compile("(.+)".join(re.escape(part) for part in parts))


def _headed(answer: Iterable[Step]) -> Iterator[Step]:
    """Yield the head of `answer` alone."""
    for step in answer:
        if isinstance(step, Send):
            yield Send(step.data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
            return
