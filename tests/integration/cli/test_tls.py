"""The command against a control behind TLS."""

import subprocess
import sys

import pytest

from tests.processes import START_SECONDS


def status(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", "status", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


@pytest.fixture
def start(spawn, tmp_path, tls_files):
    """`start(**tls)`: a control; the address where it listens."""

    def started(**tls):
        settings = {
            "listen": "127.0.0.1:0",
            "storage": {"sqlite_path": str(tmp_path / "geniehive.sqlite3")},
            "tls": tls,
        }
        return f"127.0.0.1:{spawn('control', settings).port()}"

    return started


def test_control_with_tls_is_reached_by_who_trusts_it(start, tls_files):
    certificate, key = map(str, tls_files)
    address = start(certificate=certificate, key=key)

    assert status("--control", address, "--ca", certificate).returncode == 0
    ended = status(GENIEHIVE_CONTROL=address, GENIEHIVE_CA=certificate)
    assert (ended.returncode, ended.stderr) == (0, "")

    ended = status("--control", address)
    assert ended.returncode == 3
    assert "why: it speaks TLS\nfix: --ca FILE or GENIEHIVE_CA" in ended.stderr


def test_control_that_asks_for_a_certificate_gets_it(start, tls_files):
    certificate, key = map(str, tls_files)
    address = start(certificate=certificate, key=key, client_ca=certificate)
    given = {"GENIEHIVE_CERTIFICATE": certificate, "GENIEHIVE_KEY_FILE": key}

    assert status("--control", address, "--ca", certificate, **given).returncode == 0

    ended = status("--control", address, "--ca", certificate)
    assert ended.returncode == 3
    assert "asks for a certificate of ours" in ended.stderr


def test_a_certificate_of_a_stranger_is_not_trusted(start, tls_files, tmp_path):
    certificate, key = map(str, tls_files)
    address = start(certificate=certificate, key=key)
    given = {"GENIEHIVE_CERTIFICATE": certificate, "GENIEHIVE_KEY_FILE": key}

    ended = status("--control", address, **given)  # only the system's authorities
    assert ended.returncode == 3
    assert "why: its certificate is not trusted here\nfix: --ca FILE" in ended.stderr

    (tmp_path / "ca.pem").write_text("no certificate")
    ended = status("--control", address, "--ca", tmp_path / "ca.pem")
    assert ended.returncode == 3
    assert "why: the files for TLS are not PEM" in ended.stderr


def test_tls_to_a_control_without_it_says_so(start, tls_files):
    ended = status("--control", start(), "--ca", tls_files[0])

    assert ended.returncode == 3
    assert "why: it speaks no TLS\nfix: leave out --ca" in ended.stderr
