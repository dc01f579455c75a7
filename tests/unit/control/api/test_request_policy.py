"""A request policy in YAML: what it says is kept, what it cannot say is refused with its line."""

import pytest

from control.api.document import parse
from control.api.request_policy import RequestPolicy, UserTemplate
from control.api.settings import Section, SettingsError, validate


class Entry(Section):
    user_template: UserTemplate = ""
    request_policy: RequestPolicy = RequestPolicy()


def read(text):
    """Return what `text` is read as, and the warnings."""
    document, lines = parse(text.encode())
    return validate(document, lines, Entry, name="some.yaml")


def test_every_field_is_kept():
    entry, _ = read("""
user_template: "Q: {{ user_input }}"
request_policy:
  body_defaults:
    chat_template_kwargs: {enable_thinking: false}
    stop: [a, "é"]
  body_overrides: {temperature: 0.2}
  system_prompt: |
    Be brief.
    Be kind.
  system_prompt_position: replace
  reasoning: pass
""")

    assert entry.user_template == "Q: {{ user_input }}"
    assert entry.request_policy == RequestPolicy.model_construct(
        body_defaults='{"chat_template_kwargs":{"enable_thinking":false},"stop":["a","é"]}',
        body_overrides='{"temperature":0.2}',
        system_prompt="Be brief.\nBe kind.",
        system_prompt_position="replace",
        reasoning="pass",
    )


def test_what_is_left_out_changes_nothing():
    entry, _ = read("request_policy: {body_defaults: {}}")

    assert entry.request_policy == RequestPolicy()
    assert entry.request_policy.body_defaults == ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("body_defaults: text", "a mapping of fields is expected, not a text"),
        ("body_defaults: [a]", "a mapping of fields is expected, not a list"),
        ("body_defaults: yes", "yes, no, on, off, true and false are no text and no number"),
        ("body_defaults: {x: .nan}", "x: nan is not finite"),
        ("body_defaults: {x: [2020-01-01]}", "x[0]: a date has no place in JSON; use quotes"),
        ("body_overrides: {model: m}", "'model' cannot be set: the asset that is chosen"),
        ("body_overrides: {headers: {}}", "'headers' cannot be set: where a request goes"),
        ("system_prompt: 12", "put it in quotes"),
        ("system_prompt_position: before", "'prepend', 'append' or 'replace'"),
        ("reasoning: maybe", "'strip' or 'pass'"),
        (f"body_defaults: {{x: {'x' * (64 << 10)}}}", "longer than 64 KiB"),
        (f"system_prompt: {'x' * (64 << 10)}x", "longer than 64 KiB"),
    ],
    ids=lambda value: value[:32],
)
def test_what_cannot_be_said_is_refused_with_its_line(line, said):
    with pytest.raises(SettingsError) as refused:
        read(f"request_policy:\n  {line}\n")

    (problem,) = refused.value.problems
    assert problem.startswith(f"some.yaml:2: request_policy.{line.partition(':')[0]}: ")
    assert said in problem


def test_an_unknown_field_is_told_with_the_nearest():
    with pytest.raises(SettingsError, match="body_default; nearest: body_defaults"):
        read("request_policy: {body_default: {}}")


@pytest.mark.parametrize(
    "template", ["{{7*7}}", "none", "{{ user_input }}, {{ user_input }}", "x" * (64 << 10) + "x"]
)
def test_a_template_without_the_one_placeholder_is_refused(template):
    with pytest.raises(SettingsError, match=r"some.yaml:1: user_template: "):
        read(f'user_template: "{template}"')
