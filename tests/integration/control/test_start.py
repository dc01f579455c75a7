"""What control says when it cannot start: the problem in a line, exit code 2, no traceback."""

import os
import socket
import sqlite3
import subprocess
import sys

import pytest
import yaml

from tests.processes import LISTENING

# Nothing is read-only to root, unless it gives up its capabilities.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


def start(tmp_path, settings, *flags, prefix=()):
    """Run a control that is expected to refuse; return its exit code and its error lines."""
    path = tmp_path / "control.yaml"
    path.write_text(settings if isinstance(settings, str) else yaml.safe_dump(settings))
    found = subprocess.run(
        [*prefix, sys.executable, "-P", "-m", "control", "--config", str(path), *flags],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert "Traceback" not in found.stderr
    assert found.stdout == ""
    return found.returncode, [one for one in found.stderr.splitlines() if "error" in one.lower()]


def refused(tmp_path, settings, *flags, prefix=()):
    code, lines = start(tmp_path, settings, *flags, prefix=prefix)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def local(tmp_path, **settings):
    database = str(tmp_path / "state" / "geniehive.sqlite3")
    return {"listen": "127.0.0.1:0", "storage": {"sqlite_path": database}, **settings}


class TestTheConfiguration:
    def test_with_an_unknown_key_is_a_warning_in_the_casual_profile(self, tmp_path, spawn):
        settings = local(tmp_path, registri={"grace_s": 1})
        control = spawn("control", settings)
        control.port()

        assert "unknown key registri; nearest: registry" in control.logged()

    def test_with_an_unknown_key_is_an_error_in_the_foundation_profile(self, tmp_path):
        settings = local(tmp_path, deployment_profile="foundation", registri={})

        assert "unknown key registri; nearest: registry" in refused(tmp_path, settings)

    def test_with_a_wrong_type_names_file_and_line(self, tmp_path):
        line = refused(tmp_path, "listen: 127.0.0.1:0\nregistry:\n  grace_s: soon\n")

        assert "control.yaml:3: registry.grace_s" in line

    def test_with_several_problems_names_each_in_a_line(self, tmp_path):
        settings = local(tmp_path, server={"port": "x"}, registry={"grace_s": -1})
        code, lines = start(tmp_path, settings)

        assert code == 2
        assert [line.startswith("error: ") for line in lines] == [True, True]

    def test_that_is_missing_is_an_error(self, tmp_path):
        line = refused(tmp_path, "", "--config", str(tmp_path / "no.yaml"))

        assert "no.yaml: no such file" in line

    def test_that_is_not_yaml_is_an_error(self, tmp_path):
        assert "control.yaml:2" in refused(tmp_path, "a: [1, 2\n")

    def test_with_unusable_tls_files_is_an_error(self, tmp_path):
        tls = {"certificate": str(tmp_path / "no.pem"), "key": str(tmp_path / "no.key")}

        assert "no such file" in refused(tmp_path, local(tmp_path, tls=tls))

    def test_with_garbage_as_tls_files_is_an_error(self, tmp_path):
        (tmp_path / "bad.pem").write_text("garbage")
        tls = {"certificate": str(tmp_path / "bad.pem"), "key": str(tmp_path / "bad.pem")}

        assert "bad.pem" in refused(tmp_path, local(tmp_path, tls=tls))


class TestTheAddress:
    def test_in_use_names_who_uses_it(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            line = refused(tmp_path, local(tmp_path, listen=f"127.0.0.1:{port}"))

        assert f"port {port} is used by pid {os.getpid()}" in line

    def test_of_another_machine_is_an_error(self, tmp_path):
        settings = local(tmp_path, listen="192.0.2.1:0")

        assert "cannot listen on 192.0.2.1:0" in refused(tmp_path, settings, "--insecure")

    def test_that_nobody_knows_is_an_error(self, tmp_path):
        settings = local(tmp_path, listen="no-such-host.invalid:0")

        assert "cannot listen on no-such-host.invalid:0" in refused(
            tmp_path, settings, "--insecure"
        )

    def test_may_be_a_name_of_this_machine(self, tmp_path, spawn):
        assert spawn("control", local(tmp_path, listen="localhost:0")).port() > 0

    def test_beyond_this_machine_needs_keys_or_client_certificates(self, tmp_path):
        line = refused(tmp_path, local(tmp_path, listen="0.0.0.0:0"))

        assert "auth.client_api_keys, auth.node_api_keys, auth.gateway_api_keys" in line
        assert "--insecure" in line

    def test_beyond_this_machine_is_served_when_insecure_says_so_loudly(self, tmp_path, spawn):
        control = spawn("control", local(tmp_path, listen="0.0.0.0:0"), "--insecure")
        control.port()

        assert "WARNING control: INSECURE" in control.logged()


class TestTheDatabase:
    @pytest.fixture
    def path(self, tmp_path):
        (tmp_path / "state").mkdir()
        return tmp_path / "state" / "geniehive.sqlite3"

    def test_that_is_garbage_is_an_error(self, tmp_path, path):
        path.write_bytes(os.urandom(10_000))

        assert "file is not a database" in refused(tmp_path, local(tmp_path))

    def test_that_is_a_directory_is_an_error(self, tmp_path, path):
        path.mkdir()

        assert "is a directory" in refused(tmp_path, local(tmp_path))

    def test_of_a_newer_schema_is_an_error(self, tmp_path, path, spawn):
        spawn("control", local(tmp_path)).port()
        spawn_stopped = sqlite3.connect(path)
        with spawn_stopped:
            spawn_stopped.execute("UPDATE meta SET value = '9' WHERE key = 'schema_version'")
        spawn_stopped.close()
        # The first control still runs; a copy is what a second one would find.
        copy = tmp_path / "copy.sqlite3"
        source, target = sqlite3.connect(path), sqlite3.connect(copy)
        source.backup(target)
        source.close()
        target.close()
        settings = local(tmp_path, storage={"sqlite_path": str(copy)})

        assert "made by a newer GenieHive (schema 9" in refused(tmp_path, settings)

    def test_that_another_control_uses_is_an_error(self, tmp_path, path, spawn):
        control = spawn("control", local(tmp_path))
        control.port()

        line = refused(tmp_path, local(tmp_path))
        assert f"another control uses it (pid {control.process.pid})" in line

    def test_that_is_locked_is_an_error(self, tmp_path, path):
        other = sqlite3.connect(path)
        other.execute("BEGIN EXCLUSIVE")
        other.execute("CREATE TABLE t (x)")
        line = refused(tmp_path, local(tmp_path))
        other.rollback()
        other.close()

        assert "locked by another program" in line

    def test_that_is_read_only_is_an_error(self, tmp_path, path):
        path.write_bytes(b"")
        path.chmod(0o444)

        line = refused(tmp_path, local(tmp_path), prefix=POWERLESS)
        assert "geniehive.sqlite3: permission denied" in line

    def test_in_a_read_only_folder_is_an_error(self, tmp_path, path):
        path.parent.chmod(0o555)
        line = refused(tmp_path, local(tmp_path), prefix=POWERLESS)
        path.parent.chmod(0o755)

        assert "geniehive.sqlite3: permission denied" in line


def test_without_a_file_everything_has_its_default(tmp_path):
    """Only the port is in question: 8801 may be taken on this machine."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "control"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if LISTENING.search(line.rstrip("\n")) or line.startswith("error: port 8801 is"):
            break
    process.terminate()
    process.stderr.close()

    assert process.wait(30) in (0, 2)
    assert "8801" in lines[-1]
    assert (tmp_path / "state" / "geniehive.sqlite3").exists()
