"""What it costs to look at a cluster can be measured: the figures are in docs/architecture.md."""

import pytest

from tests.transcript.views import VIEWS, measure

pytestmark = pytest.mark.anyio


async def test_all_views_are_measured_beside_chats():
    found = await measure(services=30, seconds=0.2)

    assert [one.title for one in found] == [title for title, _, _ in VIEWS]
    for one in found:
        assert one.chats
        assert one.health
        assert bool(one.views) is bool(one.size)
        assert "chat" in one.line()
    assert all(one.views for one in found[1:])
