"""etcd-io/etcd#15271: a watcher was sent back in time."""

import pytest
from geniehive.v1 import routing_service_pb2 as pb

from gateway.resources import read_resource
from gateway.table import Replica, SnapshotWanted


def snapshot(version):
    identity = pb.TableIdentity(store_id="s", incarnation="i", version=version)
    return pb.TableUpdate(identity=identity, snapshot=True, settled=True)


def test_a_table_of_the_past_is_refused():
    table = Replica(read_resource)
    table.apply(snapshot(8))
    with pytest.raises(SnapshotWanted):
        table.apply(snapshot(7))

    assert table.identity.version == 8
