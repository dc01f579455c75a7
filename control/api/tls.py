"""TLS files to gRPC credentials, for both sides."""

from pathlib import Path

import grpc

from control.api.secret_files import read_secret


def server_credentials(
    certificate: Path, key: Path, client_ca: Path | None = None
) -> grpc.ServerCredentials:
    """Return credentials of a server; with `client_ca`, clients must present a certificate.

    Raises:
        OSError: a file cannot be read, or everybody can read the key.
    """
    return grpc.ssl_server_credentials(
        [(read_secret(key), certificate.read_bytes())],
        root_certificates=client_ca.read_bytes() if client_ca else None,
        require_client_auth=client_ca is not None,
    )


def channel_credentials(
    ca: Path | None, certificate: Path | None = None, key: Path | None = None
) -> grpc.ChannelCredentials:
    """Return credentials of a client; without `ca` the system's authorities are trusted.

    Raises:
        OSError: a file cannot be read, or everybody can read the key.
    """
    return grpc.ssl_channel_credentials(
        root_certificates=ca.read_bytes() if ca else None,
        private_key=read_secret(key) if key else None,
        certificate_chain=certificate.read_bytes() if certificate else None,
    )
