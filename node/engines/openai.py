"""Any server with an OpenAI-compatible door, known only by its list of models.

`GET /v1/models` is all that is asked. `/health` is not: SGLang may generate a token
to answer it, and other paths of unknown servers may do worse (llama-swap unloads
everything on `GET /unload`).
"""

from dataclasses import dataclass

import httpx

from node.engines.http import NoAnswer, Reply, get, refusal
from node.engines.sight import (
    MAX_MODELS,
    Model,
    Operation,
    Sight,
    count,
    document,
    entries,
    field,
    name,
    size,
    word,
)

ENGINE = "openai"
# Servers that list what they could load, not what they hold; asked for it, they load it.
LISTS_UNLOADED = frozenset(
    {"library", "llama-swap", "organization_owner"}
)  # Ollama, LM Studio last
# Servers that say what they are, and that nobody else says to be.
SURE = {
    "llamacpp": "llamacpp",
    "llama-swap": "llama-swap",
    "sglang": "sglang",
    "vllm": "vllm",
}
# llama.cpp's number for the vocabulary of BERT: such a model embeds and cannot chat. Of
# others that embed it tells nothing; these are declared by `kind`.
WORD_PIECE = 3
MODEL_TYPES: dict[str, Operation] = {"LLM": "chat", "embedding": "embeddings"}
EMBEDDING_FLAGS = frozenset({"--embedding", "--embeddings"})


async def look(client: httpx.AsyncClient, url: str, key: str = "") -> Sight:
    """Return what the server at `url` shows; never raises for what the server does.

    key: the server's own, where it asks for one.
    `engine` of the answer is another one when the server says so of its models.
    """
    try:
        reply = await get(client, f"{url}/v1/models", key)
    except NoAnswer as error:
        return error.sight
    if reply.status == 404:
        # Speech servers without a list exist; what is declared for them stands.
        return Sight("healthy", "lists no models: 404 at /v1/models", ENGINE)
    if reply.status == 503 and is_loading(reply.body):
        return Sight("loading", "loading its model", "llamacpp")
    if reply.status != 200:
        return Sight("unhealthy", refusal(reply.status, key))
    listed = models(reply.content)
    if listed is None:
        return Sight("unhealthy", "answers something else than a list of models at /v1/models")
    owners = owned_by(reply.content)
    return Sight(
        "healthy",
        engine=sure(owners) or ENGINE,
        models=listed,
        loads_on_request=not owners.isdisjoint(LISTS_UNLOADED),
    )


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of models, as it was told and as it is understood."""

    reply: Reply
    models: tuple[Model, ...]


async def listing(client: httpx.AsyncClient, url: str, key: str, engine: str) -> Listing | Sight:
    """Return what a server of which `engine` is known lists, or what it shows without a list."""
    try:
        reply = await get(client, f"{url}/v1/models", key)
    except NoAnswer as error:
        return error.sight
    if reply.status != 200:
        return Sight("unhealthy", refusal(reply.status, key), engine)
    found = models(reply.content)
    if found is None:
        return Sight("unhealthy", "answers 200 and no list at /v1/models", engine)
    return Listing(reply, found)


def sure(owners: frozenset[str]) -> str | None:
    """Return what the server is, when its models belong to one kind of server alone."""
    return SURE.get(next(iter(owners))) if len(owners) == 1 else None


def models(listed: object) -> tuple[Model, ...] | None:
    """Return the models of an answer, in the server's order; None when it is no list.

    An entry that makes no sense is left out, the rest stands.
    """
    data = field(listed, "data")
    if data is None and field(listed, "object") == "list":
        data = []  # as Ollama tells that it has none
    if not isinstance(data, list):
        return None
    found: dict[str, Model] = {}
    for entry in data[:MAX_MODELS]:
        asset_id = name(field(entry, "id"))
        if asset_id is not None:
            model = Model(
                asset_id,
                _is_loaded(entry),
                _context(entry),
                _operation(entry),
                size_bytes=size(field(entry, "meta", "size")),
            )
            found.setdefault(asset_id, model)
    return tuple(found.values())


def owned_by(listed: object) -> frozenset[str]:
    """Return what the entries of a list of models say of their owner."""
    owners = (field(entry, "owned_by") for entry in entries(field(listed, "data")))
    return frozenset(owner for owner in owners if isinstance(owner, str))


def is_loading(body: bytes) -> bool:
    """Return whether an error says that the model is still being loaded."""
    message = field(document(body), "error", "message")
    return isinstance(message, str) and "loading" in message.lower()


def _is_loaded(entry: object) -> bool:
    """Prefer the server's word on this model; a plain list is of what is in memory."""
    status = field(entry, "status")
    status = field(status, "value") if isinstance(status, dict) else status
    if isinstance(status, str):
        return status in {"loaded", "ready"}
    return word(field(entry, "owned_by")) not in LISTS_UNLOADED


def _context(entry: object) -> int:
    """llama.cpp tells `meta.n_ctx`, vLLM and SGLang `max_model_len`."""
    return count(field(entry, "meta", "n_ctx")) or count(field(entry, "max_model_len")) or 0


def _operation(entry: object) -> Operation | None:
    """Return what a model is for, where its list tells.

    llama.cpp tells the vocabulary of what is in memory, its router with what it starts it,
    and Xinference the type.
    """
    started_with = entries(field(entry, "status", "args"))
    embeds = not EMBEDDING_FLAGS.isdisjoint(one for one in started_with if isinstance(one, str))
    if embeds or field(entry, "meta", "vocab_type") == WORD_PIECE:
        return "embeddings"
    return MODEL_TYPES.get(word(field(entry, "model_type")))
