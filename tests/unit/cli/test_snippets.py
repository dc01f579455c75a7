"""What is pasted: real values, no key, and nothing that a name could break out of."""

import ast
import json
import shlex

import pytest

from cli.connect_command import CLIENTS
from cli.snippets import LATER, SNIPPETS, Target

OPEN = Target("http://192.168.1.20:8800", "mentor", keyed=False)
KEYED = Target("http://192.168.1.20:8800", "mentor", keyed=True)
HOSTILE = 'x"); import os; os.system("reboot"); ("\'; reboot; \x1b[2J\n$(reboot)'


def test_every_client_has_a_snippet_or_a_reason():
    assert set(CLIENTS) == SNIPPETS.keys() | LATER.keys()


@pytest.mark.parametrize("name", SNIPPETS)
def test_real_values_are_in_it_and_a_key_never_is(name):
    text = SNIPPETS[name](KEYED)

    assert "http://192.168.1.20:8800/v1" in text
    assert "GENIEHIVE_API_KEY" in text
    assert "GENIEHIVE_API_KEY" not in SNIPPETS[name](OPEN)


def test_curl_is_one_command_with_a_body_of_json():
    words = shlex.split(SNIPPETS["curl"](OPEN).replace("\\\n", ""))

    assert words[:2] == ["curl", "http://192.168.1.20:8800/v1/chat/completions"]
    assert json.loads(words[-1])["model"] == "mentor"


@pytest.mark.parametrize("to", [OPEN, KEYED])
@pytest.mark.parametrize("name", ["python", "langchain"])
def test_python_is_python(name, to):
    ast.parse(SNIPPETS[name](to))


def test_a_hostile_name_stays_a_value():
    to = Target("http://h:1", HOSTILE, keyed=False)

    words = shlex.split(SNIPPETS["curl"](to).replace("\\\n", ""))
    assert json.loads(words[-1])["model"] == HOSTILE
    for name in ("python", "langchain"):
        texts = [
            node.value
            for node in ast.walk(ast.parse(SNIPPETS[name](to)))
            if isinstance(node, ast.Constant)
        ]
        assert HOSTILE in texts
        assert "\x1b" not in SNIPPETS[name](to)
