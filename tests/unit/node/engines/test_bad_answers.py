"""Whatever a server answers, a look ends in time, takes what makes sense and raises nothing."""

import gzip
import json

import pytest

from node.engines.detect import LOOKS, look
from node.engines.http import MAX_BODY_BYTES, new_client
from node.engines.sight import MAX_MODELS, Sight
from tests.fakes import answers
from tests.fakes.answers import Reset
from tests.fakes.engine import Engine

pytestmark = pytest.mark.anyio

ENGINES = [None, *sorted(LOOKS)]
BOMB = gzip.compress(b" " * (64 << 20))


async def seen(answer, asked_as) -> Sight:
    async with Engine(lambda _: answer) as engine, new_client() as client:
        return await look(client, engine.url, asked_as)


@pytest.mark.parametrize("asked_as", ENGINES, ids=str)
@pytest.mark.parametrize(
    "answer",
    [
        answers.whole(b"<html><body>It works!</body></html>"),
        answers.whole(b"[" * 100_000),
        answers.whole(b'{"data": ' * 50_000),
        answers.whole(b'{"data": NaN, "models": -Infinity}'),
        answers.whole(b'{"data": 1' + b"0" * 10_000 + b"}"),
        answers.whole(b"\x00\xff\xfe" * 1_000),
        answers.whole(b""),
        answers.whole(BOMB, headers=[("Content-Encoding", "gzip")]),
        answers.document(None),
        answers.document({"data": [], "models": {}, "running": 7}),
        answers.document({"error": "Unexpected endpoint or method"}),
        answers.failure(500, "broken"),
        answers.whole(b"", 302, [("Location", "http://127.0.0.1:1/")]),
        [Reset()],
    ],
    ids=[
        "page",
        "deep",
        "deeper",
        "nan",
        "long-number",
        "bytes",
        "empty",
        "bomb",
        "null",
        "shapes",
        "endpoint",
        "broken",
        "redirect",
        "reset",
    ],
)
async def test_what_makes_no_sense_tells_nothing(answer, asked_as):
    sight = await seen(answer, asked_as)

    assert not sight.models
    assert sight.detail.isprintable()
    assert len(sight.detail) < 200
    numbers = (sight.in_flight, sight.queue_depth, sight.concurrency, sight.kv_cache_utilization)
    assert set(numbers) == {None}


@pytest.mark.parametrize("asked_as", ["openai", "ollama"])
async def test_an_endless_answer_is_given_up_after_some_megabytes(asked_as):
    body = answers.chunked([b" " * (1 << 20)] * 100)
    async with Engine(lambda _: body) as engine, new_client() as client:
        sight = await look(client, engine.url, asked_as)
        (request,) = engine.requests

    assert sight.detail == "answers with more than 2 MB"
    assert request.sent < MAX_BODY_BYTES + (16 << 20)  # what the sockets hold is sent as well


NAMES = ["good", "new\nline", "nul\x00", "x" * 10_240, " padded", "", "\ud800", 7, None]


def listed(asked_as: str, names: list[object]) -> object:
    key, field = ("models", "model") if asked_as == "ollama" else ("data", "id")
    return {key: [{field: name} for name in names]}


@pytest.mark.parametrize("asked_as", ["llamacpp", "lmstudio", "llama-swap", "ollama", "openai"])
async def test_names_that_nobody_could_ask_for_are_left_out(asked_as):
    names = [*NAMES, "\N{LLAMA}", "good"]
    sight = await seen(answers.document(listed(asked_as, names)), asked_as)

    assert [one.asset_id for one in sight.models or ()] == ["good", "\N{LLAMA}"]


@pytest.mark.parametrize("asked_as", ["llamacpp", "lmstudio", "llama-swap", "ollama", "openai"])
async def test_of_too_many_models_the_first_are_taken(asked_as):
    names = [f"m{number}" for number in range(MAX_MODELS + 5)]
    sight = await seen(answers.whole(json.dumps(listed(asked_as, names)).encode()), asked_as)

    assert len(sight.models or ()) == MAX_MODELS
