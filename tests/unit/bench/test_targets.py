import yaml

from bench.cases import CASES, SSE_64
from bench.targets import TARGETS, free_port


def test_names_are_unique():
    assert len({one.name for one in TARGETS}) == len(TARGETS)
    assert len({one.name for one in CASES}) == len(CASES)


def test_a_stream_is_asked_for_its_events():
    assert "--events" in SSE_64.arguments(quick=True)
    assert "--events" not in CASES[0].arguments(quick=False)


def test_a_free_port_is_free():
    assert 1_024 <= free_port() <= 65_535


def test_our_gateway_keeps_its_file_apart_from_that_of_a_real_one(tmp_path):
    next(one for one in TARGETS if one.name == "GenieHive").launch(tmp_path, 1)

    settings = yaml.safe_load((tmp_path / "gateway.yaml").read_text())
    assert settings["state_dir"] == str(tmp_path)
