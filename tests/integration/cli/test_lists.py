"""Lists, details, clients and completion, against a real cluster."""

import json
import re
import subprocess
import sys

import httpx
import pytest

from tests.conformance.project import ROOT
from tests.integration.cli.small_hive import COMMAND, SECONDS, environment, geniehive

PAGE = (ROOT / "docs" / "cli.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["hosts"], ["h1"]),
        (["hosts", "--state", "lost"], []),
        (["services"], ["h1/demo"]),
        (["services", "--host", "h1", "--operation", "chat", "--routable"], ["h1/demo"]),
        (["services", "--not-routable"], []),
        (["roles"], ["embed", "helper", "mentor"]),
        (["roles", "--operation", "embeddings"], ["embed"]),
        (["roles", "--operation", "transcription"], []),
        (["models"], ["embed", "helper", "mentor", "small"]),
        (["models", "--operation", "embeddings"], ["embed"]),
    ],
)
def test_lists_by_their_filters(hive, arguments, ids):
    assert geniehive(hive, *arguments, "-q").stdout.split() == ids

    table = geniehive(hive, *arguments)
    assert table.returncode == 0
    rows = table.stdout.splitlines()
    assert len(rows) == len(ids) + 1
    assert [row.split()[0] for row in rows[1:]] == ids

    told = json.loads(geniehive(hive, *arguments, "--json").stdout)
    noun = arguments[0]
    assert told["schema"] == f"geniehive.{noun}/1"
    key = "id" if noun == "models" else f"{noun[:-1]}_id"
    assert [one[key] for one in told[noun]] == ids


def test_what_a_filter_leaves_nothing_of_is_told_as_that(hive):
    assert geniehive(hive, "hosts", "--state", "lost").stdout == "no hosts are lost\n"
    told = geniehive(hive, "roles", "--operation", "transcription").stdout
    assert told == "no roles do transcription\n"


@pytest.mark.parametrize(
    ("noun", "name", "head", "like"),
    [
        ("host", "h1", "h1: up", "h2"),
        ("service", "h1/demo", "h1/demo: up", "h1/dmo"),
        ("role", "mentor", "mentor (chat) -> h1/demo small", "mentr"),
        ("model", "small", "small (asset, chat)", "smal"),
    ],
)
def test_a_name_shows_one_and_an_unknown_one_those_like_it(hive, noun, name, head, like):
    assert geniehive(hive, f"{noun}s", name).stdout.splitlines()[0] == head

    told = json.loads(geniehive(hive, f"{noun}s", name, "--json").stdout)
    assert told["schema"] == f"geniehive.{noun}/1"
    assert name in json.dumps(told[noun])

    unknown = geniehive(hive, f"{noun}s", like)
    assert (unknown.returncode, unknown.stdout) == (5, "")
    assert unknown.stderr.startswith(f"error: no {noun} '{like}'")


def test_completion_knows_the_names_of_the_last_list(hive, tmp_path):
    state = {"GENIEHIVE_STATE_DIR": str(tmp_path)}
    for noun in ("hosts", "services", "roles", "models"):
        geniehive(hive, noun, **state)

    def completed(line):
        asked = {"_GENIEHIVE_COMPLETE": "bash_complete", "COMP_WORDS": line}
        count = {"COMP_CWORD": str(len(line.split()) - (line[-1] != " "))}
        # Nobody is there to be asked: completion does not.
        nobody = {"GENIEHIVE_CONTROL": "127.0.0.1:1"}
        said = geniehive(hive, **state, **asked, **count, **nobody).stdout
        return [word.partition(",")[2] for word in said.splitlines()]

    assert completed("geniehive roles m") == ["mentor"]
    assert completed("geniehive hosts ") == ["h1"]
    assert completed("geniehive services --host h") == ["h1"]
    assert completed("geniehive connect curl --model s") == ["small"]
    assert completed("geniehive route explain h") == ["helper"]
    assert "config" in completed("geniehive con")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_what_it_sources(hive, shell):
    ended = geniehive(hive, "completion", shell)

    assert ended.returncode == 0
    assert "_GENIEHIVE_COMPLETE" in ended.stdout


def test_what_connect_prints_works(hive):
    shown = geniehive(hive, "connect", "python")
    assert shown.returncode == 0, shown.stderr
    assert "/v1/chat/completions helper: 200 in " in shown.stderr

    ran = subprocess.run(
        [sys.executable, "-c", shown.stdout],
        env=environment(hive),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert "word" in ran.stdout, ran.stderr

    curl = geniehive(hive, "connect", "curl", "--model", "small", "-q").stdout
    ran = subprocess.run(
        ["sh", "-c", curl], capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert "word" in ran.stdout


def test_a_model_that_nobody_serves_is_exit_5(hive):
    ended = geniehive(hive, "connect", "curl", "--model", "nope")

    assert ended.returncode == 5
    assert "tried: POST" in ended.stderr
    assert "error: nope did not answer: " in ended.stderr


def test_how_a_request_went_is_told_by_the_name_that_its_client_gave(hive):
    body = {"model": "small", "messages": [{"role": "user", "content": "a secret"}]}
    httpx.post(
        f"{hive.url}/v1/chat/completions",
        json=body,
        headers={"x-request-id": "ticket-4711"},
        trust_env=False,
    ).raise_for_status()
    told = geniehive(hive, "request", "ticket-4711")
    listed = geniehive(hive, "request", "--limit", "1")
    document = json.loads(geniehive(hive, "request", "ticket-4711", "--json").stdout)
    unknown = geniehive(hive, "request", "req_1")

    assert list(document) == ["schema", "request"]
    assert document["request"]["client_request_id"] == "ticket-4711"
    assert told.stdout.startswith('chat "small" -> h1/demo small  200 in ')
    assert " in, " in told.stdout
    assert "  (no content kept)\n +0.0s h1/demo  200   our overhead " in told.stdout
    assert [line.split()[2:6] for line in listed.stdout.splitlines()[1:]] == [
        ["small", "h1/demo", "1", "200"]
    ]
    assert (unknown.returncode, unknown.stdout) == (5, "")
    assert unknown.stderr.startswith('error: no request "req_1" of yours is remembered; ')
    assert unknown.stderr.endswith("fix: geniehive request\n")


def test_settings_are_checked_and_shown(hive, tmp_path):
    (good := tmp_path / "gateway.yaml").write_text("listen: 127.0.0.1:1\n")
    (bad := tmp_path / "node.yaml").write_text("contrl: x\n")

    ended = geniehive(hive, "config", "check", str(good), str(bad))
    assert ended.returncode == 1
    assert ended.stdout.splitlines() == [
        f"{good}: ok, gateway",
        f"{bad}:1: unknown key contrl; nearest: control",
    ]
    told = json.loads(geniehive(hive, "config", "check", str(good), str(bad), "--json").stdout)
    assert told["schema"] == "geniehive.config_check/1"
    assert [(one["kind"], one["ok"]) for one in told["files"]] == [
        ("gateway", True),
        ("node", False),
    ]
    told = json.loads(geniehive(hive, "config", "show", str(good), "--json").stdout)
    assert told["settings"][1] == {
        "key": "listen",
        "value": "127.0.0.1:1",
        "source": "file",
        "place": f"{good}:1",
    }
    shown = geniehive(hive, "config", "show", str(good), "--origin").stdout
    listens = next(line for line in shown.splitlines() if line.startswith("listen "))
    assert listens.split() == ["listen", "127.0.0.1:1", f"{good}:1"]
    good.write_text("listen: nonsense\n")
    refused = geniehive(hive, "config", "show", str(good))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"error: {good}:1: listen: ")


@pytest.mark.parametrize(
    "command",
    [
        *("status", "hosts", "hosts h1", "services", "services h1/demo", "roles", "roles mentor"),
        *("models", "models small", "route explain mentor", "route match hello", "connect curl"),
        *("config show --kind node", "request"),
    ],
)
def test_documents_have_the_fields_that_their_page_tells(hive, command):
    document = json.loads(geniehive(hive, *command.split(), "--json").stdout)
    schema = re.escape(document.pop("schema"))
    row = re.search(rf"^\| `{schema}` \| `[^|]*` \| ([^;:,|]*)", PAGE, re.MULTILINE)

    assert row
    assert re.findall(r"`(\w+)`", row[1]) == list(document)


def test_who_reads_only_the_beginning_ends_the_command(hive):
    with subprocess.Popen(
        [*COMMAND, "status", "--watch"],
        env=environment(hive),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert "1 of 1 host up" in watching.stdout.readline()
        watching.stdout.close()
        watching.terminate()
        assert "Traceback" not in watching.stderr.read()
