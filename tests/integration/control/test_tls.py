"""Control behind TLS, with certificates that are made for the test."""

import shutil
import subprocess

import grpc
import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc

from control.api.channel import control_errors, sync_channel
from control.api.errors import ControlUnavailable
from control.api.tls import channel_credentials
from tests.integration.conftest import missing


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A certificate that signs itself, and its key."""
    if shutil.which("openssl") is None:
        missing("openssl is not there; it makes the certificates of this test")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    request = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    )
    subprocess.run(
        [*request.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return certificate, key


def health(port, credentials):
    with sync_channel(f"127.0.0.1:{port}", credentials) as channel, control_errors():
        stub = discovery_service_pb2_grpc.DiscoveryServiceStub(channel)
        return stub.GetClusterHealth(pb.GetClusterHealthRequest(), timeout=5)


def settings(tmp_path, files, **tls):
    certificate, key = files
    return {
        "listen": "127.0.0.1:0",
        "storage": {"sqlite_path": str(tmp_path / "geniehive.sqlite3")},
        "tls": {"certificate": str(certificate), "key": str(key), **tls},
    }


def test_only_who_trusts_the_certificate_gets_through(spawn, tmp_path, files):
    port = spawn("control", settings(tmp_path, files)).port()

    assert health(port, channel_credentials(files[0])).host_count == 0
    for other in (None, grpc.ssl_channel_credentials()):
        with pytest.raises(ControlUnavailable):
            health(port, other)


def test_with_a_client_authority_a_certificate_is_needed(spawn, tmp_path, files):
    certificate, key = files
    port = spawn("control", settings(tmp_path, files, client_ca=str(certificate))).port()

    assert health(port, channel_credentials(certificate, certificate, key)).host_count == 0
    with pytest.raises(ControlUnavailable):
        health(port, channel_credentials(certificate))
