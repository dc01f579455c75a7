"""Workloads are checked as settings are: every problem has its line."""

import re
from pathlib import Path

import pytest

from bench.runs import workload
from control.api.settings import SettingsError

DOCS = Path(workload.OWN).parents[1] / "docs/benchmarks.md"
CHAT = """\
workload: my.chat
operation: chat
body: {max_tokens: 8}
cases:
  - case: one
    prompt: What is 2 + 2?
    expect: {contains_any: ["4"]}
"""


def loaded(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return workload.load(str(path))


def problem(tmp_path, text):
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, text)
    (line,) = refused.value.problems
    return line.removeprefix(f"{tmp_path / 'mine.yaml'}:")


@pytest.mark.parametrize("name", workload.own())
def test_our_workloads_are_what_their_files_are_called(name):
    found = workload.load(name)

    assert found.workload == name
    assert len(found.cases) >= 2


def test_our_chats_are_short_and_do_not_think():
    for name in ("chat.short_reasoning", "chat.concise_support"):
        found = workload.load(name)
        assert found.body["max_tokens"] == 120
        assert found.body["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_file_of_ones_own_works_the_same(tmp_path):
    found = loaded(tmp_path, CHAT)
    path, body = found.request(found.cases[0], "mentor")

    assert path == "/v1/chat/completions"
    assert body == {
        "model": "mentor",
        "messages": [{"role": "user", "content": "What is 2 + 2?"}],
        "max_tokens": 8,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_example_of_the_documentation_is_one(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert loaded(tmp_path, example).workload == "support.billing"


def test_a_case_wins_over_its_workload_and_the_system_prompt_comes_first(tmp_path):
    found = loaded(
        tmp_path,
        "workload: w\noperation: chat\nsystem_prompt: Be brief.\nbody: {max_tokens: 8, seed: 1}\n"
        "cases:\n- case: one\n  body: {max_tokens: 9}\n"
        "  messages: [{role: user, content: Hi}, {role: assistant, content: Yes?}]\n",
    )
    _, body = found.request(found.cases[0], "m")

    assert (body["max_tokens"], body["seed"]) == (9, 1)
    assert [one["role"] for one in body["messages"]] == ["system", "user", "assistant"]


def test_embeddings_are_asked_whole(tmp_path):
    found = workload.load("embeddings.short_texts")
    path, body = found.request(found.cases[0], "embed")

    assert path == "/v1/embeddings"
    assert body == {"model": "embed", "input": list(found.cases[0].input)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("prompt:", "promt:"), "6: unknown key cases[0].promt; nearest: prompt"),
        (("contains_any", "contain_any"), "7: unknown key cases[0].expect.contain_any; nearest:"),
        (("max_tokens: 8", "stream: no"), "3: body: stream is said by the runner"),
        (("operation: chat", "operation: cooking"), "2: operation: input should be 'chat' or"),
        (("my.chat", "'two words'"), "1: workload: string should match pattern"),
        (("my.chat", "w" * 201), "1: workload: string should have at most 200 characters"),
        (('contains_any: ["4"]', "matches: '('"), "7: cases[0].expect.matches: missing )"),
        (('contains_any: ["4"]', "min_characters: 0"), "7: cases[0].expect.min_characters: input"),
        (('contains_any: ["4"]', "dimensions_at_least: 3"), "7: cases[0].expect: dimensions_at"),
        (('contains_any: ["4"]', "nearest_to_first: 1"), "7: cases[0].expect.nearest_to_first: th"),
        (
            ("prompt: What", "input: [x]\n    prompt: What"),
            "5: cases[0].case: exactly one of prompt",
        ),
        (("prompt: What is 2 + 2?", "input: [x]"), "5: cases[0].case: a case of chat has prompt"),
        (("max_tokens: 8", "seed: .nan"), "3: body: no JSON: out of range float values"),
        (("max_tokens: 8", "day: 2026-01-02"), "3: body: no JSON: object of type date"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(tmp_path, change, said):
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, CHAT.replace(*change))
    lines = [one.removeprefix(f"{tmp_path / 'mine.yaml'}:") for one in refused.value.problems]
    assert any(line.startswith(said) for line in lines), lines


def test_two_cases_of_one_name_are_refused(tmp_path):
    text = CHAT + "  - {case: one, prompt: Again}\n"
    assert problem(tmp_path, text) == "8: cases[1].case: there is another case 'one'"


def test_a_name_that_nobody_knows_is_answered_with_those_there_are():
    with pytest.raises(SettingsError, match=r"no workload 'chat\.nope'.*chat\.concise_support"):
        workload.load("chat.nope")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="no such file"):
        workload.load(str(tmp_path / "nowhere.yaml"))


def test_a_bad_case_is_told_once(tmp_path):
    found = problem(tmp_path, CHAT.replace("prompt: What is 2 + 2?", "prompt: 4"))
    assert found.startswith("6: cases[0].prompt: ")


def test_a_workload_has_cases(tmp_path):
    found = problem(tmp_path, "workload: w\noperation: chat\ncases: []\n")
    assert found == "3: cases: a case is needed"
