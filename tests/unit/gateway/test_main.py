"""What a gateway decides about itself before it serves."""

import pytest

from gateway import __main__ as main
from gateway.config import Config


@pytest.mark.parametrize(
    ("allowed", "connections"),
    [(8_448, 4_096), (1_024, 384), (100, 1)],
    ids=["all", "soft-limit-of-many-systems", "next-to-none"],
)
def test_no_more_clients_are_taken_than_there_are_files_for(
    monkeypatch, caplog, allowed, connections
):
    """Whoever is beyond gets an answer; without files it would get none, nor would control."""
    monkeypatch.setattr(main, "allow_open_files", lambda needed: min(needed, allowed))

    settings = main._within_open_files(Config())

    assert settings.limits.connections == connections
    assert ("may have 1024 open files (ulimit -n)" in caplog.text) == (allowed == 1_024)
