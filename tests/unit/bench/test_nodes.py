"""Simulated nodes tell what real ones tell."""

import pytest

from bench.board import Board
from bench.nodes import MODELS, Node, report
from control.api.channel import aio_channel


def test_every_node_has_its_own_services_and_shares_models():
    first, second, later = report(1, 2), report(2, 2), report(1 + MODELS, 2)

    ids = [one.service.service_id for found in (first, second, later) for one in found.services]
    assert ids[:2] == ["host-00001/s0", "host-00001/s1"]
    assert len(set(ids)) == 6
    assert first.services[0].service.assets == later.services[0].service.assets
    assert first.services[1].service.assets == second.services[0].service.assets


@pytest.mark.anyio
async def test_a_node_that_breaks_down_tells_of_its_first_service(tmp_path, one_loop):
    board = Board.create(tmp_path / "board", nodes=3)
    async with aio_channel("127.0.0.1:1") as nowhere:
        node = Node(2, report(2, 2), nowhere, board)

        node.break_down()

    healths = [one.observation.health for one in node._told().services]
    assert healths == ["unhealthy", "healthy"]
    assert node._changed.is_set()
    assert list(board.beats) == [0, 0, 1]
