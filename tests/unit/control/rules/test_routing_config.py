import re

import pytest
import yaml

from control.api.priorities import WORDS, Priority, Standing
from control.api.settings import SettingsError, validate
from control.ranking.presets import LEGACY, SEED
from control.ranking.waiting import Waiting
from control.rules.routing_config import Routing
from control.rules.scoring_config import Scoring
from control.rules.waiting_config import PrioritySection
from tests.conformance.project import ROOT

KEY, OTHER = "static:1f3a9c02", "static:00000000"


def read(document):
    return validate(document, {}, Routing, name="control.yaml")[0]


def test_what_is_set_is_what_counts():
    found = read(
        {
            "default_strategy": "power_of_two",
            "scoring": {"preset": "legacy"},
            "evidence_half_life_s": 60,
            "probe_interval_s": 0.5,
            "probe_timeout_s": 60,
            "waiting_room": "off",
            "priority": {
                "default": "low",
                "highest": "normal",
                "keys": {KEY: {"highest": "high"}, OTHER: {"default": "normal"}},
            },
        }
    )

    assert found.default_strategy == "power_of_two"
    assert found.scoring.made == LEGACY
    assert found.evidence_half_life_s == 60.0
    assert (found.probe_interval_s, found.probe_timeout_s) == (0.5, 60.0)
    assert found.waiting == Waiting(
        False,
        Priority.LOW,
        Priority.NORMAL,
        {KEY: Standing(highest=Priority.HIGH), OTHER: Standing(usual=Priority.NORMAL)},
    )


def test_who_says_nothing_has_the_room_and_may_ask_for_all():
    assert read({}).waiting == Waiting(True, Priority.NORMAL, Priority.HIGH, {})
    assert read({"priority": {"keys": {KEY: {}}}}).waiting.standings == {KEY: Standing()}


@pytest.mark.parametrize(
    ("written", "on"),
    [("on", True), ("off", False), ("true", True), ("no", False), ("'off'", False)],
)
def test_the_room_is_switched_by_what_yaml_makes_of_words(written, on):
    assert read(yaml.safe_load(f"waiting_room: {written}")).waiting_room is on


def test_what_is_read_can_be_written_and_read_again():
    """As `geniehive up` does."""
    found = read({"waiting_room": False, "priority": {"keys": {KEY: {"default": "low"}}}})

    assert read(found.model_dump(mode="json")) == found


def test_priorities_are_the_words_of_the_contract():
    schema = PrioritySection.model_json_schema()["properties"]

    assert set(schema["default"]["enum"]) == set(WORDS)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"default_strategy": "round-robin"}, "no strategy 'round-robin'; nearest: round_robin"),
        ({"default_strategy": "x" * 200}, f"no strategy '{'x' * 100}'; there are scored"),
        ({"default_strategy": 1}, "default_strategy: input should be 'scored', 'round_robin'"),
        ({"default_strategy": None}, "default_strategy: input should be 'scored', 'round_robin'"),
        ({"default_strategy": True}, "use quotes"),
        ({"scoring": {"preset": "seeds"}}, "scoring.preset: input should be 'seed' or 'legacy'"),
        ({"scoring": {"role": {"text": 0.5}}}, "must be 1"),
        ({"scoring": {"role": {"txt": 0.5}}}, "unknown key scoring.role.txt; nearest: text"),
        ({"evidence_half_life_s": 0}, "greater than or equal to 10"),
        ({"evidence_half_life_s": float("nan")}, "finite number"),
        ({"waiting_room": "maybe"}, "waiting_room: on or off is expected"),
        ({"waiting_room": 1}, "waiting_room: on or off is expected"),
        ({"waiting_room": None}, "waiting_room: on or off is expected"),
        ({"waiting_room": []}, "waiting_room: on or off is expected"),
        ({"waiting_rom": "on"}, "unknown key waiting_rom; nearest: waiting_room"),
        ({"priority": "high"}, "priority: a mapping of keys is expected"),
        ({"priority": {"default": "nromal"}}, "no priority 'nromal'; nearest: normal"),
        ({"priority": {"default": "x" * 10_000}}, f"no priority '{'x' * 100}'; there are low"),
        ({"priority": {"highest": "h\xf6chste"}}, "no priority 'h\xf6chste'"),
        ({"priority": {"highest": 3}}, "input should be 'low', 'normal' or 'high'"),
        ({"priority": {"highest": True}}, "use quotes"),
        ({"priority": {"highest": None}}, "input should be 'low', 'normal' or 'high'"),
        ({"priority": {"higest": "low"}}, "unknown key priority.higest; nearest: highest"),
        (
            {"priority": {"default": "high", "highest": "low"}},
            "priority.default: high is above highest, low",
        ),
        (
            {"priority": {"highest": "normal", "keys": {KEY: {"default": "high"}}}},
            f"priority.keys.{KEY}.default: high is above highest, normal",
        ),
        ({"priority": {"keys": []}}, "priority.keys: input should be a valid dictionary"),
        ({"priority": {"keys": {"sk-a": {}}}}, "such as static:1f3a9c02"),
        ({"priority": {"keys": {"static:1F3A9C02": {}}}}, "such as static:1f3a9c02"),
        ({"priority": {"keys": {5: {}}}}, "valid string"),
        ({"priority": {"keys": {KEY: "low"}}}, f"priority.keys.{KEY}: a mapping of keys"),
        ({"priority": {"keys": {KEY: {"defualt": "low"}}}}, "nearest: default"),
        ({"probe_interval_s": 0.4}, "probe_interval_s: must be 0, for never, or 0.5 to 3600"),
        ({"probe_interval_s": 3_601}, "must be 0, for never, or 0.5 to 3600 seconds"),
        ({"probe_interval_s": -1}, "must be 0, for never, or 0.5 to 3600 seconds"),
        ({"probe_interval_s": float("nan")}, "finite number"),
        ({"probe_interval_s": False}, "use quotes"),
        ({"probe_timeout_s": 0}, "greater than or equal to 0.1"),
        ({"probe_timeout_s": 61}, "less than or equal to 60"),
    ],
)
def test_what_cannot_be_set_is_refused_by_name(document, said):
    with pytest.raises(SettingsError) as caught:
        read(document)

    assert said in str(caught.value)


def test_the_settings_explain_the_numbers_of_the_preset():
    text = (ROOT / "configs/control.yaml").read_text()
    (block,) = re.findall(r"  #   role: .*?(?=\n  scoring:)", text, re.DOTALL)
    lines = [line[6:] for line in block.splitlines() if line.startswith("  #   ")]

    explained = yaml.safe_load("\n".join(lines))

    assert Scoring.model_validate(explained).made == SEED
    assert set(explained) == set(Scoring.model_fields) - {"preset"}
