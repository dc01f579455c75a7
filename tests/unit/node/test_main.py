"""A node relays for as many connections as it may have files for."""

import logging

import pytest

from node import __main__ as main
from node.config import Config


@pytest.mark.parametrize(
    ("allowed", "connections"), [(2_560, 1_024), (1_024, 256), (256, 1)], ids=str
)
def test_there_are_no_more_tunnels_than_files(monkeypatch, caplog, allowed, connections):
    asked = []
    monkeypatch.setattr(main, "allow_open_files", lambda needed: asked.append(needed) or allowed)
    with caplog.at_level(logging.WARNING):
        found = main._within_open_files(Config())

    assert asked == [2 * 1_024 + main.OTHER_FILES]
    assert found.relay.connections == connections
    assert ("ulimit -n" in caplog.text) == (connections < 1_024)
