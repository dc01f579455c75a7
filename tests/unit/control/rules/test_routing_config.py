import re

import pytest
import yaml

from control.api.settings import SettingsError, validate
from control.ranking.presets import LEGACY, SEED
from control.rules.routing_config import Routing
from control.rules.scoring_config import Scoring
from tests.conformance.project import ROOT


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
        }
    )

    assert found.default_strategy == "power_of_two"
    assert found.scoring.made == LEGACY
    assert found.evidence_half_life_s == 60.0
    assert (found.probe_interval_s, found.probe_timeout_s) == (0.5, 60.0)


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
