"""Addresses, and who holds them."""

import os
import socket

import pytest

from control.api.ports import describe, join_address, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8800", ("127.0.0.1", 8800)),
        ("gpu-1.lan:0", ("gpu-1.lan", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_address_splits_and_joins_again(text, expected):
    assert parse_address(text) == expected
    assert join_address(*expected) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "host:",
        ":80",
        "::1:80",
        "[::1:80",
        "::1]:80",
        "[[::1]]:80",
        "a:70000",
        "a:-1",
        "a:٣",
    ],
)
def test_what_is_not_an_address_is_refused(text):
    with pytest.raises(ValueError, match=r"not host:port|above 65535"):
        parse_address(text)


def test_holder_of_a_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = describe(join_address(*server.getsockname()))

    assert f"used by pid {os.getpid()} (" in said


def test_free_port_has_no_holder_to_name():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = join_address(*server.getsockname())

    assert describe(address) == "in use"
