"""From an address and TLS files to a port of a gRPC server, or one line that says why not."""

import errno
import socket
from collections.abc import Callable

import grpc

from control.api.ports import describe, parse_address
from control.api.tls import server_credentials
from control.config import Tls


class CannotListen(Exception):
    """The address or the TLS files cannot be used. The message is one line."""


def binder(address: str, tls: Tls) -> Callable[[grpc.aio.Server], int]:
    """Return what adds the port at `address` to a server and returns it; 0 picks a free one.

    Raises:
        CannotListen: the address or the TLS files cannot be used; so does what is returned.
    """
    check_free(address)
    credentials: grpc.ServerCredentials | None = None
    try:
        if tls.certificate is not None and tls.key is not None:
            credentials = server_credentials(tls.certificate, tls.key, tls.client_ca)
    except OSError as error:
        raise CannotListen(f"{error.filename}: {_why(error)}") from error

    def bind(server: grpc.aio.Server) -> int:
        try:
            if credentials is None:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, credentials)
        except RuntimeError as error:  # gRPC does not say why; the address was free just now
            pair = f"; are {tls.certificate} and {tls.key} a certificate and its key?"
            why = pair if credentials is not None else ""
            raise CannotListen(f"cannot listen on {address}{why}") from error

    return bind


def check_free(address: str) -> None:
    """Raise CannotListen when nothing can listen at `address`: gRPC would not say why."""
    host, port = parse_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotListen(f"cannot listen on {address}: {_why(error)}") from error
    problems = [problem for family, _, _, _, where in found if (problem := _problem(family, where))]
    for problem in problems:
        if problem.errno == errno.EADDRINUSE:
            raise CannotListen(f"port {port} is {describe(address)}; set another `listen`")
    # A name may have an address of a family that this machine does not use.
    if len(problems) == len(found):
        raise CannotListen(f"cannot listen on {address}: {_why(problems[0])}")


def _problem(family: socket.AddressFamily, where: tuple[object, ...]) -> OSError | None:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        return error
    return None


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
