"""Servers known only as OpenAI-compatible, by what their source and pages say they list."""

import pytest

from node.engines.sight import Model
from tests.engines.server import Request, Route, StandIn
from tests.fakes import answers
from tests.unit.node.engines.standing import seen

pytestmark = pytest.mark.anyio

XINFERENCE = {
    "object": "list",
    "data": [
        {"id": "qwen3", "object": "model", "owned_by": "xinference", "model_type": "LLM"},
        {"id": "bge-m3", "object": "model", "owned_by": "xinference", "model_type": "embedding"},
        {"id": "whisper", "object": "model", "owned_by": "xinference", "model_type": "audio"},
    ],
}
TGI = {
    "object": "list",
    "data": [{"id": "org/zephyr", "object": "model", "owned_by": "org/zephyr"}],
}


class Other(StandIn):
    """Lists models, and has a page for everything else that it does not say."""

    def __init__(self, listed):
        self.listed = listed
        super().__init__()

    def routes(self) -> dict[str, Route]:
        return {"GET /v1/models": lambda _: answers.document(self.listed)}

    def not_found(self, request: Request):
        return answers.whole(b"<html>console</html>", headers=[("Content-Type", "text/html")])


@pytest.mark.shows("openai", "fingerprint", "assets", "capabilities", "loaded", by="stand-in")
async def test_xinference_tells_what_its_models_are_for():
    async with Other(XINFERENCE) as engine:
        sight = await seen(engine)

    assert (sight.health, sight.engine) == ("healthy", "openai")
    assert sight.models == (
        Model("qwen3", True, operation="chat"),
        Model("bge-m3", True, operation="embeddings"),
        Model("whisper", True),
    )


@pytest.mark.shows("openai", "fingerprint", "assets", by="stand-in")
async def test_tgi_is_what_its_service_is_declared_for():
    async with Other(TGI) as engine:
        sight = await seen(engine)

    assert (sight.health, sight.engine) == ("healthy", "openai")
    assert sight.models == (Model("org/zephyr", True),)


@pytest.mark.parametrize("kind", [{}, [], 5, None, "x" * 500, "rerank"])
async def test_types_that_say_nothing_to_us_are_unknown(kind):
    async with Other({"data": [{"id": "a", "model_type": kind}]}) as engine:
        sight = await seen(engine)

    assert sight.models == (Model("a", True),)
