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
