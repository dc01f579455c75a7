"""Control behind TLS, with certificates that are made for the test."""

import grpc
import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc

from control.api.channel import control_errors, sync_channel
from control.api.errors import ControlUnavailable
from control.api.tls import channel_credentials


def health(port, credentials):
    with sync_channel(f"127.0.0.1:{port}", credentials) as channel, control_errors():
        stub = discovery_service_pb2_grpc.DiscoveryServiceStub(channel)
        return stub.GetClusterHealth(pb.GetClusterHealthRequest(), timeout=5)


def settings(tmp_path, tls_files, **tls):
    certificate, key = tls_files
    return {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(tmp_path / "geniehive.sqlite3")},
        "tls": {"certificate": str(certificate), "key": str(key), **tls},
    }


def test_only_who_trusts_the_certificate_gets_through(spawn, tmp_path, tls_files):
    port = spawn("control", settings(tmp_path, tls_files)).port()

    assert health(port, channel_credentials(tls_files[0])).host_count == 0
    for other in (None, grpc.ssl_channel_credentials()):
        with pytest.raises(ControlUnavailable):
            health(port, other)


def test_with_a_client_authority_a_certificate_is_needed(spawn, tmp_path, tls_files):
    certificate, key = tls_files
    port = spawn("control", settings(tmp_path, tls_files, client_ca=str(certificate))).port()

    assert health(port, channel_credentials(certificate, certificate, key)).host_count == 0
    with pytest.raises(ControlUnavailable):
        health(port, channel_credentials(certificate))
