"""Which places of a machine may be model servers, from what runs there."""

import socket

import psutil
import pytest

from node import listeners
from node.listeners import USUAL_PORTS, Listener, Process, is_engine, may_serve


def test_usual_ports_are_asked_at_every_address_loopback_first():
    found = may_serve([], ["192.168.1.5"])

    assert found[: len(USUAL_PORTS)] == tuple(map(Listener, USUAL_PORTS))
    assert {(one.host, one.port) for one in found[len(USUAL_PORTS) :]} == {
        ("192.168.1.5", port) for port in USUAL_PORTS
    }


@pytest.mark.parametrize(
    ("bound", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::1", "::1"), ("10.0.0.7", "10.0.0.7")],
)
def test_an_engine_is_found_wherever_it_listens(bound, reached):
    found = may_serve([Process("llama-server", "zsh", ((bound, 9931),))], [])

    assert [one for one in found if one.port == 9931] == [Listener(9931, "llama-server", reached)]


def test_an_engine_at_all_addresses_is_asked_over_ipv6_too():
    """It may have been told to take IPv6 alone."""
    found = may_serve([Process("llama-server", "zsh", (("::", 9931),))], [])

    assert [one.host for one in found if one.port == 9931] == ["127.0.0.1", "::1"]


def test_what_an_engine_starts_for_itself_is_not_offered():
    """Ollama runs each model in a process of the same name, on a port of its own."""
    served = Process("ollama", "systemd", (("127.0.0.1", 11434),))
    runner = Process("ollama", "ollama", (("127.0.0.1", 40123),))
    inner = Process("llama-server", "llama-swap", (("127.0.0.1", 5800),))

    ports = [one.port for one in may_serve([served, runner, inner], [])]
    assert ports.count(11434) == 1
    assert not {40123, 5800} & set(ports)


def test_a_machine_full_of_listeners_is_bounded():
    many = Process("vllm", "", tuple(("127.0.0.1", port) for port in range(10_000, 20_000)))

    assert len(may_serve([many], [])) == listeners.MAX_LISTENERS


@pytest.mark.parametrize(
    ("name", "known"),
    [("ollama.exe", True), ("LM Studio", True), ("VLLM::APIServer", True), ("nginx", False)],
)
def test_engines_are_known_by_name(name, known):
    assert is_engine(name) is known


def test_usual_ports_are_left_where_the_system_tells_nothing(monkeypatch):
    def refused(*_):
        raise psutil.AccessDenied

    monkeypatch.setattr(listeners, "_places", refused)
    monkeypatch.setattr(listeners, "is_engine", lambda name: True)

    assert {one.port for one in listeners.listening()} == set(USUAL_PORTS)


def test_this_very_process_is_seen_listening(monkeypatch):
    """Whatever the system, what it tells of a process of ours is understood."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = list(listeners._places(psutil.Process()))

        assert server.getsockname() in found


def test_addresses_of_this_machine_can_be_connected_to():
    found = listeners.own_addresses()

    assert "127.0.0.1" not in found
    assert not any("%" in one for one in found)
