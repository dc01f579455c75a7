"""Hosts that come and go are told once each."""

import pytest
from geniehive.v1 import inventory_pb2 as inventory

from cli.cluster import Cluster
from cli.comings import changes, seen
from tests.unit.cli.clusters import health, host, status


def there(**hosts):
    """hosts: whether each is online."""
    states = {True: inventory.HOST_STATE_ONLINE, False: inventory.HOST_STATE_LOST}
    services = tuple(status(f"{name}/ollama", "a", "b") for name in hosts)
    return Cluster(
        health(), tuple(host(name, states[online]) for name, online in hosts.items()), services
    )


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"tower": True}, ["+ tower joined: 2 models"]),
        ({"tower": True}, {"tower": False}, ["! tower lost: no heartbeat"]),
        ({"tower": False}, {"tower": True}, ["+ tower is back: 2 models"]),
        ({"tower": True}, {}, ["- tower left"]),
        ({"tower": True, "attic": False}, {"tower": True, "attic": False}, []),
    ],
)
def test_what_happened_is_told(before, now, told):
    assert changes(seen(there(**before)), there(**now)) == told
