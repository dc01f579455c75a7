"""What is said to a client whose request is no good HTTP."""

import httptools
import pytest

from control.api.errors import GenieHiveError, InvalidValue, MethodNotAllowed, UriTooLong
from gateway.objections import check_host, objection, path_of

NO_HTTP = InvalidValue("the request is not valid HTTP")


@pytest.mark.parametrize("host", [b"t", b"t:80", b"a-b.example:", b"[::1]:9240", b"127.0.0.1"])
def test_a_request_names_one_host(host: bytes):
    check_host([(b"accept", b"*/*"), (b"host", host)], "1.1")


@pytest.mark.parametrize(
    "hosts",
    [[], [b"a", b"b"], [b"a", b"a"], [b""], [b"a@b"], [b"a/b"], [b"a:b"], [b"a:123456"]],
)
def test_a_request_that_names_no_host_or_two_is_refused(hosts: list[bytes]):
    with pytest.raises(InvalidValue):
        check_host([(b"host", host) for host in hosts], "1.1")


def test_http_1_0_knows_no_hosts():
    check_host([], "1.0")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (b"/v1/models", b"/v1/models"),
        (b"/v1/embeddings?a=b", b"/v1/embeddings"),
        (b"http://t/v1/embeddings", b"/v1/embeddings"),
        (b"/v1/chat/completions", b"/v1/chat/completions"),
    ],
)
def test_the_path_of_a_target(url: bytes, path: bytes):
    assert path_of(b"POST", url) == path


@pytest.mark.parametrize(
    ("method", "url"),
    [(b"GET", b"http://t"), (b"GET", b"?a"), (b"CONNECT", b"t:80"), (b"CONNECT", b"/v1/models")],
)
def test_a_target_without_a_path_is_refused(method: bytes, url: bytes):
    with pytest.raises(InvalidValue):
        path_of(method, url)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"SING /v1/models HTTP/1.1\r\n", MethodNotAllowed("SING is not a method of HTTP")),
        (b"\x16\x03\x01", NO_HTTP),
        (b"GET /v1/models HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET", NO_HTTP),
    ],
    ids=["method", "tls", "behind a good one"],
)
def test_an_unknown_method_is_told_from_what_is_no_http(data: bytes, expected: GenieHiveError):
    said = objection(httptools.HttpParserInvalidMethodError("method"), data)

    assert (type(said), str(said)) == (type(expected), str(expected))


def test_what_a_callback_raised_is_said():
    error = UriTooLong("too long")

    assert objection(stumbled_over(error), b"") is error


def test_a_bug_is_told_to_the_log_alone(caplog):
    said = objection(stumbled_over(KeyError("secret")), b"")

    assert (type(said), "secret" in str(said)) == (GenieHiveError, False)
    assert "secret" in caplog.text


def stumbled_over(error: Exception) -> Exception:
    """Return what the parser raises when a callback of its raised `error`."""
    stumble = httptools.HttpParserCallbackError("callback")
    stumble.__context__ = error
    return stumble
