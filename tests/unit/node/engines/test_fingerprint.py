"""What a server is, told by stand-ins of all, and never by a question that does something."""

import json

import httpx
import pytest

from node.engines.fingerprint import fingerprint
from node.engines.http import NoAnswer, new_client
from tests.engines.llamaswap import LlamaSwap
from tests.engines.lmstudio import LMStudio
from tests.engines.ollama import Ollama
from tests.engines.sglang import Sglang
from tests.engines.speaches import Speaches
from tests.engines.vllm import Vllm
from tests.engines.whispercpp import WhisperCpp
from tests.fakes import answers
from tests.fakes.answers import Hang
from tests.fakes.engine import Engine

pytestmark = pytest.mark.anyio

# Those that do something on a server that is not known.
NEVER = {"/health", "/slots", "/unload", "/api/show", "/load"}


async def told(engine):
    async with new_client() as client:
        return await fingerprint(client, engine.url)


def scripted(paths):
    """Return a server that answers these paths, and 404 to all others."""
    return Engine(lambda request: paths.get(request.target, answers.failure(404, "File Not Found")))


def listing(*entries):
    return {"/v1/models": answers.document({"object": "list", "data": list(entries)})}


OWNED = {"id": "m", "owned_by": "me"}
SPEAKS = {"id": "Systran/whisper", "owned_by": "Systran", "task": "automatic-speech-recognition"}
LOADING = answers.failure(503, "Loading model", "unavailable_error")
PAGE = answers.whole(b"<html><head><title>Whisper.cpp Server</title>")


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (Ollama(), "ollama"),
        (Ollama(["qwen3"]), "ollama"),
        (LMStudio(["m"]), "lmstudio"),
        (LMStudio(["m"], v1=False), "lmstudio"),
        (LMStudio(["m"], loads=False), "lmstudio"),
        (LlamaSwap(["m"]), "llama-swap"),
        (LlamaSwap(), "llama-swap"),
        (Engine(lambda request: answers.document({"data": [{"id": "m"}]})), "openai"),
        (scripted(listing({"id": "m", "owned_by": "llamacpp"})), "llamacpp"),
        (scripted({"/v1/models": LOADING}), "llamacpp"),
        (scripted(listing({"id": "m", "owned_by": "vllm"})), "vllm"),
        (scripted(listing({"id": "m", "owned_by": "sglang"})), "sglang"),
        (scripted(listing(SPEAKS)), "speaches"),
        (scripted({**listing(OWNED), "/api/ps": answers.document({"models": ["m"]})}), "speaches"),
        (scripted({"/": PAGE}), "whispercpp"),
        (Vllm(["m"]), "vllm"),
        (Vllm(["m"], task="embeddings"), "vllm"),
        (Sglang(["m"]), "sglang"),
        (Sglang(["m"], old=True), "sglang"),
        (Speaches(["m"]), "speaches"),
        (Speaches(["m"], tasks=False), "speaches"),
        (Speaches([]), "speaches"),
        (WhisperCpp(), "whispercpp"),
        (WhisperCpp(old=True), "whispercpp"),
        (scripted({}), "openai"),
        (scripted(listing(OWNED)), "openai"),
        (scripted(listing({"id": "m", "owned_by": "vllm"}, OWNED)), "openai"),
        (scripted({"/v1/models": answers.whole(b"<html>")}), "openai"),
        (scripted({"/v1/models": answers.failure(401, "who?")}), "openai"),
    ],
    ids=[
        "ollama-empty",
        "ollama",
        "lmstudio",
        "lmstudio-v0",
        "lmstudio-empty",
        "llama-swap",
        "llama-swap-empty",
        "one-answer-for-all",
        "llamacpp",
        "llamacpp-loading",
        "vllm",
        "sglang",
        "speaches",
        "speaches-old",
        "whispercpp",
        "vllm-stand-in",
        "vllm-embeds",
        "sglang-stand-in",
        "sglang-old",
        "speaches-stand-in",
        "speaches-without-task",
        "speaches-empty",
        "whispercpp-stand-in",
        "whispercpp-old",
        "no-list",
        "openai",
        "mixed",
        "page",
        "keyed",
    ],
)
async def test_a_server_is_told_by_what_it_lists_else_by_what_it_alone_answers(server, expected):
    async with server:
        assert await told(server) == expected

        asked = {request.target for request in server.requests}
        assert asked.isdisjoint(NEVER)
        assert {request.method for request in server.requests} == {"GET"}


async def test_who_answers_the_paths_of_ollama_is_not_therefore_ollama():
    """SGLang does, and others that would be taken for it."""
    paths = {
        **listing(OWNED),
        "/api/tags": answers.document({"models": []}),
        "/api/version": answers.document({"version": "0.5.1"}),
        "/api/ps": answers.document({"models": [{"name": "m"}]}),
    }
    async with scripted(paths) as server:
        assert await told(server) == "openai"


async def test_who_leaves_questions_open_may_be_anybody():
    async with scripted({**listing(OWNED), "/running": [Hang()]}) as server:
        assert await told(server) is None


async def test_who_cannot_be_asked_is_nobody():
    def refuse(request):
        raise httpx.ConnectError("refused")

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as client:
        with pytest.raises(NoAnswer, match="cannot be reached"):
            await fingerprint(client, "http://a:1")


async def test_its_key_is_presented_with_every_question():
    presented = []

    def answer(request):
        presented.append(request.headers.get("authorization"))
        return httpx.Response(200, text=json.dumps({"data": []}))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        await fingerprint(client, "http://a:1", "k")

    assert set(presented) == {"Bearer k"}
