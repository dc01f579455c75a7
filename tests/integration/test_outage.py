"""The ten-second form of `outage.py`."""

from tests.integration import outage

BACK_SECONDS = 50.0  # ten times the goal: bounds in tests are for busy machines


def test_clients_do_not_notice_that_control_is_gone(tmp_path, capsys):
    figures = outage.run(tmp_path, rate=100.0, down=3.0)
    with capsys.disabled():
        print(f"\n  outage: {figures.report()}")  # a figure to read

    assert figures.failed == 0
    assert figures.answers["ok"] > 500
    assert min(figures.table_sizes) >= len(outage.MODELS), "the table shrank"
    assert max(figures.node_back) < BACK_SECONDS
