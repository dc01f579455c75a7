"""gpustack/gpustack#1581, #362, #510: a worker with another address was asked at the old one."""

import pytest

from node import relay
from node.config import Config
from node.config import Relay as Settings
from node.state import Host, Metrics, Observation, Report, Service, Watched

REPORT = Report(
    Host("h"),
    Metrics(),
    (Watched(Service("h/s", "http://127.0.0.1:1", "chat"), Observation("healthy")),),
)


@pytest.mark.anyio
async def test_a_machine_that_moves_tells_where_it_is_now(monkeypatch):
    addresses = iter(["192.0.2.1", None, "192.0.2.2"])
    told = []

    async def own_host(_: str) -> str | None:
        return next(addresses)

    monkeypatch.setattr(relay, "_own_host", own_host)
    settings = Settings(listen="127.0.0.1:0", mode="always")
    door = relay.Relay(Config(relay=settings), "token", lambda: told.append(True))
    await door.open()
    try:
        (before,) = door.through(REPORT).services
        await door._look()  # the network is away for a while
        await door._look()
        (after,) = door.through(REPORT).services
    finally:
        await door.close()

    assert before.service.way is not None
    assert after.service.way is not None
    assert before.service.way.address.startswith("192.0.2.1:")
    assert after.service.way.address.startswith("192.0.2.2:")
    # A higher revision goes with the next heartbeat, which comes at once.
    assert after.service.revision > before.service.revision
    assert len(told) == 2
