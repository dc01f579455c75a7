"""gpustack/gpustack#1576: heartbeats were lost until the clocks of all machines agreed."""

from geniehive.v1 import registry_service_pb2 as registry


def times(message, seen=()):
    """Return the fields of `message`, at any depth, that tell a time of day."""
    found = []
    for field in message.fields:
        inner = field.message_type
        if inner is None or inner in seen:
            continue
        if inner.full_name == "google.protobuf.Timestamp":
            found.append(field)
        else:
            found += times(inner, (*seen, inner))
    return found


def test_no_node_tells_what_time_it_is():
    assert times(registry.StreamHeartbeatsRequest.DESCRIPTOR) == []
    told = times(registry.RegisterHostRequest.DESCRIPTOR)
    # Control tells this one, to operators; of nodes it does not take it.
    assert [field.full_name for field in told] == ["geniehive.v1.Host.heartbeat_time"]
