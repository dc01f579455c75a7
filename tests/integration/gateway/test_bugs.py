"""A mistake of ours in telling an answer ends the connection: nobody waits on an open one."""

from contextlib import suppress

import httpx
import pytest

from gateway import asgi, turn
from tests.fakes import answers
from tests.fakes.engine import Engine
from tests.integration.gateway.front import Front

pytestmark = pytest.mark.anyio

STREAM = answers.events([answers.data({"n": 1}), answers.data("[DONE]")])


def broken(*_: object) -> None:
    raise RuntimeError("a bug")


@pytest.mark.parametrize("model", ["small", "nobody has it"])
@pytest.mark.parametrize("stream", [False, True])
async def test_who_cannot_be_answered_does_not_wait(
    front: Front, engine: Engine, monkeypatch: pytest.MonkeyPatch, *, model: str, stream: bool
) -> None:
    if stream:
        engine.script = lambda _: STREAM
    for downstream in (turn.Turn, asgi._Answer):
        for name in ("respond", "end", "break_off"):
            monkeypatch.setattr(downstream, name, broken)

    # The server behind ASGI says 500 where nothing was said; a time-out would be a failure.
    with suppress(httpx.RemoteProtocolError, httpx.ReadError):
        answer = await front.post({"model": model, "stream": stream})
        assert answer.status_code == 500

    await front.idle()
    assert not front.gateway.admission.under_way
