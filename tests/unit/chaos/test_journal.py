"""A history is judged by what was acknowledged, and by what was only asked for."""

import pytest

from tests.chaos.r20_acknowledged import Journal, halves, lost


@pytest.mark.parametrize(
    ("there", "asked", "found", "expected"),
    [
        (True, None, True, []),
        (True, None, False, ["h"]),
        (False, None, True, ["h"]),
        (True, False, False, []),
        (True, False, True, []),
        (False, True, True, []),
        (True, True, False, ["h"]),
    ],
    ids=[
        "registered",
        "lost",
        "removed-and-back",
        "removal-done-and-not-said",
        "removal-not-done",
        "registration-done-and-not-said",
        "registered-again",
    ],
)
def test_a_change_that_was_acknowledged_is_lost_or_not(there, asked, found, expected):
    journal = Journal({"h": there}, {} if asked is None else {"h": asked})

    assert lost(journal, {"h": 2} if found else {}) == expected


def test_what_was_open_is_decided_by_what_is_found():
    journal = Journal()
    journal.ask("h", True)
    journal.settle({"h": 2})

    assert journal.there == {"h": True}
    assert lost(journal, {}) == ["h"]


def test_a_host_without_all_services_is_half():
    assert halves({"h1": 2, "h2": 1, "h3": 0}) == ["h2", "h3"]
