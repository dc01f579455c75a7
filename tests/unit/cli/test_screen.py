"""What a person sees while `up` works."""

import io
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from geniehive.v1 import inventory_pb2 as inventory

from cli.cluster import Cluster
from cli.demo import ALIAS, Progress
from cli.keys import Keys
from cli.output import Output
from cli.screen import (
    Invitation,
    Screen,
    chat_models,
    invitation,
    next_steps,
    progress_line,
)
from tests.unit.cli.clusters import health, host, status

STEPS = """\
models: smollm2-135m (demo, small; for real work start Ollama, it is found by itself)
try:  curl http://127.0.0.1:8800/v1/chat/completions -H 'Content-Type: application/json' \\
        -d '{"model":"smollm2-135m","messages":[{"role":"user","content":"Say hello"}]}'
next: geniehive connect python | geniehive status --watch | Ctrl-C stops everything"""


def test_next_steps():
    assert next_steps("http://127.0.0.1:8800", [ALIAS], key="", demo=True) == STEPS


def test_keyed_call_shows_where_the_key_goes():
    steps = next_steps("http://a", ["m"], key="YOUR_KEY", demo=False)

    assert "-H 'Authorization: Bearer YOUR_KEY'" in steps
    assert "demo" not in steps


def test_without_a_model_there_is_nothing_to_call():
    steps = next_steps("http://a", [], key="YOUR_KEY", demo=False)

    assert steps.startswith("models: none yet; ")
    assert "curl" not in steps


def test_call_survives_any_name():
    """Names of models come from other machines and are pasted into a shell."""
    evil = 'it\'s $(rm -rf ~) `x` "quoted"'
    steps = next_steps("http://a", [evil], key="", demo=False)
    call = re.search(r"^try:(.*)^next:", steps, re.MULTILINE | re.DOTALL)[1]
    words = shlex.split(call)

    assert json.loads(words[words.index("-d") + 1])["model"] == evil


def test_many_models_are_counted():
    names = [f"m{number}" for number in range(9)]

    assert "models: m0, m1, m2, m3, m4, m5 and 3 more\n" in next_steps(
        "http://a", names, key="", demo=False
    )


def test_loaded_chat_models_of_routable_services_come_first():
    cluster = Cluster(
        health(),
        (host("h"),),
        (
            status("h/a", "cold", "+warm"),
            status("h/b", "+gone", routable=False),
            status("h/c", "+vectors", operation=inventory.OPERATION_EMBEDDINGS),
        ),
    )

    assert chat_models(cluster) == ["warm", "cold"]


@pytest.mark.parametrize(
    ("done", "elapsed", "expected"),
    [
        (0, 0.0, "  model      x  0/98 MB"),
        (49e6, 7.0, "  model      x  49/98 MB  7 MB/s  7s left"),
        (98e6, 10.0, "  model      x  98/98 MB  10 MB/s"),
    ],
)
def test_progress_tells_size_rate_and_time_left(done, elapsed, expected):
    assert progress_line(Progress("x", int(done), 98_000_000), elapsed) == expected


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys):
    now = [0.0]
    screen = Screen(Output(), clock=lambda: now[0])
    with screen.downloads() as report:
        for second in range(13):
            now[0] = float(second)
            report(Progress("x", second * 1_000_000, 12_000_000))

    shown = [line.split()[2] for line in capsys.readouterr().err.splitlines()]
    assert shown == ["5/12", "10/12", "12/12"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_each_download_is_a_bar_below_the_steps(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    screen = Screen(Output(color="never"))
    with screen.downloads() as report:
        report(Progress("[b]x", 6_000_000, 12_000_000))
        screen.step("gateway", "ready")
        report(Progress("[b]x", 12_000_000, 12_000_000))
        report(Progress("y", 1_000_000, 4_000_000))
    screen.say("done")

    # What is left on the screen once all bars were drawn for the last time.
    shown = terminal.getvalue().replace("\r", "\n").replace("\x1b[2K", "").splitlines()
    assert "  gateway    ready" in shown
    x, y, end = shown[-3:]
    assert "model      [b]x" in x
    assert "12.0/12.0 MB" in x
    assert "1.0/4.0 MB" in y
    assert end.endswith("done")
    assert "\x1b[3" not in terminal.getvalue()  # no colour
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")


def test_quiet_and_json_show_no_steps(capsys):
    for output in (Output(quiet=True), Output(as_json=True)):
        screen = Screen(output)
        screen.step("control", "ready")
        with screen.downloads() as report:
            report(Progress("x", 1, 1))

    assert capsys.readouterr() == ("", "")


KEYS = Keys(*(f"gh_{kind}" for kind in ("client", "node", "gateway", "operator", "admin")))


def test_keys_are_shown_once_with_the_line_for_another_machine():
    place = Path("/s/keys.json")

    assert invitation(Invitation("192.168.1.20:8801", place, KEYS)) == (
        "client key: gh_client\n"
        "add a machine:  GENIEHIVE_NODE_KEY=gh_node geniehive join 192.168.1.20:8801\n"
        "keys are in /s/keys.json, and are not shown again"
    )
    again = invitation(Invitation("192.168.1.20:8801", place, None))
    assert "gh_" not in again
    assert again.endswith("keys are in /s/keys.json, as before")


def test_a_machine_in_no_network_is_told():
    alone = invitation(Invitation("127.0.0.1:8801", Path("k"), None, here_only=True))

    assert "in no network" in alone
