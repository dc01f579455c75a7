import os
import socket

import pytest

from control.config import Tls
from control.listening import CannotListen, binder


class Server:
    """Takes a port as gRPC does, or refuses without a reason as gRPC does."""

    def __init__(self, refuses=False):
        self.refuses = refuses
        self.added = []

    def add_insecure_port(self, address):
        if self.refuses:
            raise RuntimeError("failed to bind")
        self.added.append(address)
        return 4711


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0", "localhost:0"])
def test_a_free_address_is_added(address):
    if address.startswith("[") and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    server = Server()

    assert binder(address, Tls())(server) == 4711
    assert server.added == [address]


def test_a_port_in_use_is_named_with_its_user():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"port {port} is used by pid {os.getpid()}"):
            binder(f"127.0.0.1:{port}", Tls())


def test_an_address_of_another_machine_cannot_be_used():
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:0: cannot assign"):
        binder("192.0.2.1:0", Tls())


def test_a_missing_tls_file_is_named(tmp_path):
    with pytest.raises(CannotListen, match=r"no\.key: no such file"):
        binder("127.0.0.1:0", Tls(certificate=tmp_path / "no.pem", key=tmp_path / "no.key"))


def test_what_grpc_does_not_explain_is_one_line_all_the_same():
    bind = binder("127.0.0.1:0", Tls())
    with pytest.raises(CannotListen, match=r"^cannot listen on 127\.0\.0\.1:0$"):
        bind(Server(refuses=True))
