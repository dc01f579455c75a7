"""Where others reach this machine, whatever networks it is in."""

import pytest

from cli import network


class NoRoute:
    """A socket of a machine without a way to anywhere."""

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def connect(self, address):
        raise OSError("network is unreachable")


def test_an_address_that_is_told_is_the_address():
    assert network.reached_at("192.168.1.20:8801") == "192.168.1.20:8801"
    assert network.reached_at("tower:8801") == "tower:8801"


@pytest.mark.parametrize("everywhere", ["0.0.0.0:8801", "[::]:8801"])
def test_everywhere_is_reached_at_the_address_of_the_default_route(everywhere, monkeypatch):
    monkeypatch.setattr(network, "own_address", lambda **_: "192.168.1.20")

    assert network.reached_at(everywhere) == "192.168.1.20:8801"


@pytest.mark.parametrize(
    ("own", "only_ipv4", "expected"),
    [
        (["127.0.0.2", "10.0.0.7", "fd00::7"], True, "10.0.0.7"),
        (["::1", "fd00::7"], False, "fd00::7"),
        (["::1", "fd00::7"], True, None),
        ([], False, None),
    ],
)
def test_without_a_default_route_any_address_will_do(own, only_ipv4, expected, monkeypatch):
    monkeypatch.setattr(network.socket, "socket", NoRoute)
    monkeypatch.setattr(network, "own_addresses", lambda: own)

    assert network.own_address(only_ipv4=only_ipv4) == expected
    if expected is None and only_ipv4:
        assert network.reached_at("0.0.0.0:1") is None
