from dataclasses import replace

import pytest

from control.endpoints import refusal
from control.inventory import Endpoint, NodeRelay

GOOD = [
    "127.0.0.1:8080",
    "192.168.1.31:11434",
    "10.0.0.1:65535",
    "[::1]:8080",
    "[fd12:3456::1]:8080",
    "gpu-1:8000",
    "gpu_1.lan:8000",
    "gpu-1.example.com.:443",
    "localhost:1",
]
# Spellings of addresses that no service may have, for this parser or for another.
BAD = [
    "",
    "127.0.0.1",
    "127.0.0.1:",
    ":8080",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.1:99999999999",
    "127.0.0.1:-1",
    "127.0.0.1:8 0",
    "127.0.0.1:٣",
    "gw@evil:80",
    "user:pass@10.0.0.1:80",
    "evil/path:80",
    "evil?x:80",
    "evil#x:80",
    "evil\\x:80",
    "evil\r\nHost: x:80",
    "evil\x00:80",
    " evil:80",
    "évil:80",
    "-evil:80",
    "evil..com:80",
    "a" * 254 + ":80",
    "169.254.169.254:80",
    "169.254.0.1:80",
    "0.0.0.0:80",
    "0.1.2.3:80",
    "224.0.0.1:80",
    "239.255.255.255:80",
    "255.255.255.255:80",
    "0xA9FEA9FE:80",
    "0xa9.0xfe.0xa9.0xfe:80",
    "2852039166:80",
    "0251.0376.0251.0376:80",
    "169.254.43518:80",
    "127.1:80",
    "010.0.0.1:80",
    "256.0.0.1:80",
    "1.2.3.4.:80",
    "::1:80",
    "[::]:80",
    "[::ffff:169.254.169.254]:80",
    "[::ffff:a9fe:a9fe]:80",
    "[::169.254.169.254]:80",
    "[64:ff9b::a9fe:a9fe]:80",
    "[2002:a9fe:a9fe::1]:80",
    "[fe80::1]:80",
    "[fe80::1%eth0]:80",
    "[::1%lo]:80",
    "[fd00:ec2::254]:80",
    "[ff02::1]:80",
    "[127.0.0.1]:80",
    "[localhost]:80",
    "[::1:80",
    "::1]:80",
    "[]:80",
]


@pytest.mark.parametrize("address", GOOD)
def test_an_ordinary_address_is_accepted(address):
    assert refusal(Endpoint("http", address)) is None


@pytest.mark.parametrize("address", BAD)
def test_a_dangerous_or_odd_address_is_refused(address):
    assert refusal(Endpoint("http", address)) is not None


@pytest.mark.parametrize("scheme", ["", "HTTP", "ftp", "file", "unix", "javascript", "https "])
def test_only_http_and_https_are_schemes(scheme):
    assert refusal(Endpoint(scheme, "127.0.0.1:80")) is not None


@pytest.mark.parametrize("path", ["", "/", "/openai", "/a/b-c_d.e/", "/v1:x"])
def test_a_plain_base_path_is_accepted(path):
    assert refusal(Endpoint("http", "127.0.0.1:80", path)) is None


@pytest.mark.parametrize(
    "path",
    ["openai", "//x", "/../x", "/a/./b", "/%2e%2e", "/a?b", "/a#b", "/a b", "/a\r\nb", "/" * 201],
)
def test_an_odd_base_path_is_refused(path):
    assert refusal(Endpoint("http", "127.0.0.1:80", path)) is not None


def test_a_tls_name_is_a_host_name():
    assert refusal(Endpoint("https", "10.0.0.1:443", tls_name="gpu-1.lan")) is None
    assert refusal(Endpoint("https", "10.0.0.1:443", tls_name="gpu 1")) is not None


def test_an_unknown_kind_of_endpoint_is_refused():
    assert refusal(Endpoint("http", "127.0.0.1:80", direct=False)) is not None


def relayed(address="192.168.1.22:8802", token="t0ken", scheme="http", path="", **relay):
    door = NodeRelay(address, token, **relay)
    return Endpoint(scheme, "127.0.0.1:11434", path, direct=False, relay=door)


def test_behind_a_relay_only_the_relay_is_connected_to():
    assert refusal(relayed()) is None
    assert refusal(relayed(path="/openai", tls=True, tls_name="tower.lan")) is None
    assert refusal(replace(relayed(), address="localhost:1")) is None


@pytest.mark.parametrize(
    "endpoint",
    [
        relayed("169.254.169.254:80"),
        relayed("0.0.0.0:8802"),
        relayed("192.168.1.22"),
        relayed("192.168.1.22:0"),
        relayed("tower:80\r\nx: y"),
        relayed(""),
        relayed(token=""),
        relayed(token="a b"),
        relayed(token="a\r\nx: y"),
        relayed(token="x" * 513),
        relayed(scheme="https"),
        relayed(path="/../x"),
        relayed(tls_name="gpu 1"),
        replace(relayed(), address="127.0.0.1"),
        replace(relayed(), address="h:1\r\nx: y"),
        replace(relayed(), address="x" * 20_000 + ":1"),
    ],
    ids=repr,
)
def test_a_relay_that_no_gateway_could_or_should_use_is_refused(endpoint):
    assert refusal(endpoint)
    assert "t0ken" not in refusal(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("h" * 20_000, "127.0.0.1:80"),
        Endpoint("http", "h" * 20_000 + ":80"),
        Endpoint("http", "127.0.0.1:" + "8" * 20_000),
        Endpoint("http", "127.0.0.1:80", "/" + "%" * 20_000),
        Endpoint("https", "127.0.0.1:80", tls_name="-" * 20_000),
    ],
    ids=["scheme", "host", "port", "path", "tls-name"],
)
def test_a_refusal_is_short_however_long_what_is_refused(endpoint):
    assert len(refusal(endpoint)) < 400
