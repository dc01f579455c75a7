"""PROMISES, group Y: settings that cannot be used. One row each, with the one clear outcome.

Exit code 2; one line a problem, with file, line and key; no traceback; no secret in it.
"""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from control.api.settings import MAX_FILE_BYTES
from control.rules.catalog import MAX_CATALOG_BYTES
from tests.integration.control.test_start import POWERLESS

SERVICES = ("control", "node", "gateway")

# What needs a piece that is not built yet.
LATER = {
    "Y10 named keys without their pepper": "there are no named keys yet",
    "Y11 a provider's key that is empty": "there are no providers yet",
}

# Name: (the file, the line of the problem, what is said of it). Alike for all services.
ANY = {
    "Y1 alias bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", 1, "aliases are not"),
    "Y1 an alias to itself": ("a: &a [*a]\n", 1, "aliases are not supported"),
    "Y1 a merge": ("a: {b: 1}\n<<: {listen: x}\n", 2, "merges (<<) are not supported"),
    "Y2 5,000 lists deep": ("a: " + "[" * 5_000 + "]" * 5_000, 1, "nested too deep"),
    "Y2 40 maps deep": ("{a: " * 40 + "1" + "}" * 40, 1, "nested too deep"),
    "Y3 a key twice": ("tls: null\n\ntls: null\n", 3, "duplicate key tls"),
    "Y3 a key twice, inside": ("tls:\n  ca: a\n  ca: b\n", 3, "duplicate key ca"),
    "Y3 a key that is no text": ("no: 1\n", 1, "key 'no' is no text; put it in quotes"),
    "Y3 a key that is a list": ("? [a]\n: 1\n", 1, "a key is expected to be a word"),
    "Y4 an object of Python": ("tls: !!python/object/apply:os.system [id]\n", 1, "os.system' is"),
    "Y4 an unknown tag": ("\ntls: !secret x\n", 2, "tag '!secret' is not supported"),
    "Y5 a number that is a truth value": ("tls: yes\n", 1, "tls: yes, no, on, off"),
    "Y6 a tab": ("tls:\n\tca: x\n", 2, "a tab cannot indent; use spaces"),
    "Y6 UTF-16": ("tls: null\n".encode("utf-16"), 1, "not UTF-8 text"),
    "Y6 binary": (b"tls: null\n" + bytes(range(128, 256)), 2, "not UTF-8 text"),
    "Y6 a NUL": ("tls: null\n\0", 2, "character 0x0 is not allowed"),
    "Y6 a BOM, and then a problem": ("\ufefftls: 5\n", 1, "tls: a mapping of keys is expected"),
    "Y6 100 MB": (b"#" * (100 << 20), None, f"larger than {MAX_FILE_BYTES} bytes"),
    "Y6 a list": ("- a\n", None, "a mapping of keys is expected, not a list"),
    "Y6 two documents": ("tls: null\n---\ntls: null\n", 2, "but found another document"),
    "Y7 a typo where checks are switched on": ("tls: {keyy: x}\n", 1, "nearest: key"),
    "Y7 a typo, strict": (
        "deployment_profile: foundation\ndeployment_profil: casual\n",
        2,
        "unknown key deployment_profil; nearest: deployment_profile",
    ),
}

# Name: (service, the file, the line of the problem, what is said of it).
OF_ONE = {
    "Y5 id: no": ("node", "node:\n  host_id: no\n", 2, "node.host_id: yes, no, on, off, true"),
    "Y5 id: 5": ("node", "node: {host_id: 5}\n", 1, "valid string; put it in quotes"),
    "Y5 a date": ("node", "node: {host_id: 2026-01-02}\n", 1, "valid string; put it in quotes"),
    "Y5 sexagesimal": ("gateway", "drain: 12:30:45\n", 1, "drain: input should be a valid number"),
    "Y5 octal": ("control", "server: {port: 0o17}\n", 1, "server.port: input should be a valid"),
    "Y5 yes is not 1": ("control", "server: {port: yes}\n", 1, "server.port: yes, no, on, off"),
    "Y6 a NUL in a path": ("control", 'roles_path: "a\\0b"\n', 1, "roles_path: the character 0"),
    "Y8 negative": ("gateway", "timeouts: {idle: -1}\n", 1, "timeouts.idle: input should be gr"),
    "Y8 zero": ("control", "registry: {heartbeat_interval_s: 0}\n", 1, "heartbeat_interval_s: in"),
    "Y8 NaN": ("gateway", "timeouts:\n  idle: .nan\n", 2, "timeouts.idle: input should be a fin"),
    "Y8 NaN, another": ("control", "registry: {grace_s: .NaN}\n", 1, "should be a finite number"),
    "Y8 infinite": ("gateway", "drain: .inf\n", 1, "drain: input should be a finite number"),
    "Y8 huge": ("control", "registry: {grace_s: 1.0e+99}\n", 1, "less than or equal to 3600"),
    "Y8 more digits than a number has": ("gateway", f"drain: {'9' * 5_000}\n", 1, "' is no int"),
    "Y8 a gateway's port": ("gateway", "listen: 127.0.0.1:70000\n", 1, "port 70000 is above 65535"),
    "Y8 control's port": ("control", "listen: 127.0.0.1:-1\n", 1, "listen: '127.0.0.1:-1' is not"),
    "Y8 port 0 of a server": ("node", "detect_ports: [0]\n", 1, "detect_ports[0]: input should b"),
    "Y8 port 70000 of a server": ("node", "detect_ports: [70000]\n", 1, "detect_ports[0]: input"),
    "Y8 an unknown strategy": (
        "control",
        "routing: {default_strategy: least_load}\n",
        1,
        "no strategy 'least_load'; nearest: least_loaded",
    ),
    "Y8 an unknown priority": (
        "control",
        "routing:\n  priority:\n    highest: hihg\n",
        3,
        "routing.priority.highest: no priority 'hihg'; nearest: high; there are low, normal, high",
    ),
    "Y8 a priority above the highest": (
        "control",
        "routing:\n  priority:\n    highest: low\n    default: high\n",
        4,
        "routing.priority.default: high is above highest, low",
    ),
    "Y8 a priority of no key": (
        "control",
        'routing:\n  priority:\n    keys:\n      "sk-mine": {default: low}\n',
        4,
        "such as static:1f3a9c02",
    ),
    "Y8 a list of priorities": (
        "control",
        "routing:\n  priority: [high]\n",
        2,
        "routing.priority: a mapping of keys is expected",
    ),
    "Y8 a room that is neither on nor off": (
        "control",
        "routing:\n  waiting_room: maybe\n",
        2,
        "routing.waiting_room: on or off is expected",
    ),
    "Y8 an unknown preset": (
        "control",
        "routing:\n  scoring: {preset: old}\n",
        2,
        "routing.scoring.preset: input should be 'seed' or 'legacy'",
    ),
    "Y8 weights that are not 1 together": (
        "control",
        "routing:\n  scoring:\n    role: {text: 0.9}\n",
        2,
        "must be 1",
    ),
    "Y8 a weight that is no number": (
        "control",
        "routing: {scoring: {service: {text: .nan}}}\n",
        1,
        "routing.scoring.service.text: input should be a finite number",
    ),
    "Y11 a key with a line end": (
        "control",
        'auth:\n  admin_api_keys: ["hush\\nhush"]\n',
        2,
        "auth.admin_api_keys[0]: string should match",
    ),
}

ROLE = "roles:\n- role_id: a\n  operation: chat\n"

# Name: (a catalog of roles, the line of the problem, what is said of it).
OF_A_CATALOG = {
    "nothing": ("", None, "there is no list of roles"),
    "a list": ("- a\n", 1, "a mapping with a list of roles is expected"),
    "settings": ("listen: 127.0.0.1:0\n", 1, "unknown key listen; a catalog holds roles"),
    "100 MB": (b"#" * (100 << 20), None, f"larger than {MAX_CATALOG_BYTES} bytes"),
    "an alias": ("roles:\n- &a {role_id: a, operation: chat}\n- *a\n", 3, "aliases are not"),
    "an object of Python": ("roles:\n- !!python/object/apply:os.system [id]\n", 2, "os.system' is"),
    "a role twice": (ROLE + "- {role_id: a, operation: chat}\n", 4, "a is in line 2 already"),
    "a fallback to nobody": (
        ROLE + "  routing_policy:\n    fallback_roles: [b]\n",
        5,
        "a: routing_policy.fallback_roles: no role b",
    ),
    "an unknown priority": (
        ROLE + "  routing_policy:\n    priority: nromal\n",
        5,
        "routing_policy.priority: no priority 'nromal'; nearest: normal",
    ),
    "a priority beside the policy": (
        ROLE + "  priority: low\n",
        4,
        "unknown key priority; nearest: routing_policy.priority",
    ),
    "an unknown field": (ROLE + "  routing_polcy: {}\n", 4, "nearest: routing_policy"),
    "an unknown field, inside": (
        ROLE + "  routing_policy:\n    denied_tiers: [guest]\n",
        5,
        "unknown key routing_policy.denied_tiers; nearest: denied_trust_tiers",
    ),
    "an unknown strategy": (
        ROLE + "  routing_policy:\n    strategy: robin\n",
        5,
        "no strategy 'robin'; nearest: round_robin",
    ),
    "a text for a list": (
        ROLE + "  routing_policy:\n    preferred_families: qwen3\n",
        5,
        "routing_policy.preferred_families: a list is expected",
    ),
    "a number that is a truth value": (
        ROLE + "  routing_policy:\n    min_context: yes\n",
        5,
        "routing_policy.min_context: yes, no, on, off",
    ),
    "a template that computes": (
        ROLE + '  prompt_policy:\n    user_template: "{{7*7}}"\n',
        5,
        "must stand there once, not 0 times",
    ),
    "a template with two inputs": (
        ROLE + '  prompt_policy: {user_template: "{{user_input}} {{ user_input }}"}\n',
        4,
        "must stand there once, not 2 times",
    ),
    "NaN in a request": (
        ROLE + "  prompt_policy: {request_policy: {body_defaults: {top_p: .nan}}}\n",
        4,
        "body_defaults: top_p: nan is not finite",
    ),
}

Refuse = Callable[[str, str | bytes], list[str]]


@pytest.fixture
def refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refuse:
    """Start a service, in this process, with a file that it must refuse; return its lines."""

    def refuse(service: str, content: str | bytes) -> list[str]:
        path = tmp_path / "bad.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.setattr("sys.argv", [service, "--config", str(path)])
        # Whoever gets there has not refused.
        monkeypatch.delattr("asyncio.run")
        monkeypatch.delattr("asyncio.Runner")
        try:
            code = importlib.import_module(f"{service}.__main__").main()
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        assert code == 2
        assert said.out == ""
        return [line.replace(str(path), "bad.yaml") for line in said.err.splitlines()]

    return refuse


def expected(line: int | None, said: str) -> re.Pattern[str]:
    place = "bad.yaml" if line is None else f"bad.yaml:{line}"
    return re.compile(f"error: {re.escape(place)}: .*{re.escape(said)}")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("row", ANY)
def test_what_no_service_takes(refuse, service, row):
    content, line, said = ANY[row]

    (problem,) = refuse(service, content)

    assert expected(line, said).match(problem)


@pytest.mark.parametrize("row", OF_ONE)
def test_what_one_service_does_not_take(refuse, row):
    service, content, line, said = OF_ONE[row]

    (problem,) = refuse(service, content)

    assert expected(line, said).match(problem)
    assert "hush" not in problem


@pytest.mark.parametrize("row", OF_A_CATALOG)
def test_y9_what_no_catalog_says(refuse, tmp_path, monkeypatch, row):
    content, line, said = OF_A_CATALOG[row]
    catalog = tmp_path / "roles.yaml"
    catalog.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("GENIEHIVE_ROLES_CONFIG", str(catalog))

    (problem,) = refuse("control", "")

    assert expected(line, said).match(problem.replace(str(catalog), "bad.yaml"))


def test_several_problems_are_one_line_each(refuse):
    problems = refuse("control", "listen: x\nserver:\n  port: 70000\nregistry: {grace_s: -1}\n")

    assert [line.split(": ")[1] for line in problems] == ["bad.yaml:1", "bad.yaml:3", "bad.yaml:4"]


@pytest.mark.parametrize("service", SERVICES)
def test_y6_an_empty_file_is_all_defaults(tmp_path, service):
    module = importlib.import_module(f"{service}.config")
    settings = importlib.import_module("control.api.settings")
    for content in ("", "\ufeff", "# nothing\n", "---\n", "{}\n"):
        path = tmp_path / "empty.yaml"
        path.write_text(content)

        assert settings.read(path, module.Config) == (module.Config(), [])


# What only a real process shows: files of others, and what stands in the environment.


def start(service: str, config: Path, prefix: Iterable[str] = (), **environment: str) -> list[str]:
    """Return the error lines of a service that must not start."""
    found = subprocess.run(
        [*prefix, sys.executable, "-P", "-m", service, "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    assert found.returncode == 2, found.stderr
    assert found.stdout == ""
    assert "Traceback" not in found.stderr
    return [line for line in found.stderr.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize(("service", "kind"), [("node", "NODE"), ("gateway", "GATEWAY")])
def test_y11_a_key_in_the_environment_with_a_line_end_is_not_shown(tmp_path, service, kind):
    config = tmp_path / "good.yaml"
    config.write_text("listen: 127.0.0.1:0\n")

    (problem,) = start(service, config, **{f"GENIEHIVE_{kind}_KEY": "hush\nhush"})

    assert f"GENIEHIVE_{kind}_KEY holds no key" in problem
    assert "hush" not in problem


def test_y12_settings_that_cannot_be_read(tmp_path):
    config = tmp_path / "closed.yaml"
    config.write_text("listen: 127.0.0.1:0\n")
    config.chmod(0)

    (problem,) = start("control", config, POWERLESS)

    assert problem == f"error: {config}: permission denied"


def test_y12_keys_in_a_file_that_everybody_can_read(tmp_path):
    """A warning in the casual profile, where files are often made without a thought."""
    config = tmp_path / "open.yaml"
    config.write_text("deployment_profile: foundation\nauth: {node_api_keys: [hush]}\n")
    config.chmod(0o644)

    (problem,) = start("control", config)

    assert problem == f"error: {config}: holds keys, and everybody can read it; chmod 600"


@pytest.mark.parametrize("service", ["control", "node"])
def test_y12_a_private_key_that_everybody_can_read(tmp_path, service):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    key.write_text("hush")
    key.chmod(0o644)
    certificate.write_text("x")
    storage = f"storage: {{sqlite_path: {tmp_path / 'db'}}}\n" if service == "control" else ""
    config = tmp_path / "tls.yaml"
    config.write_text(f"tls: {{certificate: {certificate}, key: {key}}}\n{storage}")

    (problem,) = start(service, config)

    assert f"{key}: everybody can read it; chmod 600" in problem
    assert "hush" not in problem


def test_y13_a_database_that_is_none(tmp_path):
    """Garbage, newer schemas, locks and read-only disks: integration/control/test_start.py."""
    config = tmp_path / "control.yaml"
    config.write_text(f"listen: 127.0.0.1:0\nstorage: {{sqlite_path: {tmp_path}}}\n")

    (problem,) = start("control", config)

    assert problem.startswith(f"error: {tmp_path}")


def test_every_row_of_the_group_is_here():
    rows = {name.split()[0] for name in (*ANY, *OF_ONE, *LATER)}
    tests = {name.split("_")[1].upper() for name in globals() if re.match(r"test_y\d", name)}

    assert rows | tests == {f"Y{number}" for number in range(1, 14)}
