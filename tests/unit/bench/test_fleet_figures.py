"""Figures of a fleet, for people."""

import json

from bench.fleet_figures import Changes, Comeback, Figures, Steady, fullest

FIGURES = Figures(
    nodes=1_000,
    services=2_000,
    registered_s=4.41,
    steady=Steady(208.4, 0.104, 474.6, 115.2, 0.97, 0.07),
    changes=Changes(300, 1.31, 4.02, 5.3),
    comeback=Comeback(8.0, 202, 1, 0),
)


def test_the_fullest_second_is_the_one_with_most_in_it():
    assert fullest([0.1, 0.9, 1.0, 1.2, 1.99, 7.0]) == 3
    assert fullest([]) == 0


def test_figures_for_people_have_their_units():
    rows = dict(FIGURES.rows())

    assert rows["CPU of control"] == "10% of a core"
    assert rows["change to gateway"] == "p50 1.3 ms, p99 4.0 ms, max 5.3 ms of 300"
    assert rows["back after SIGKILL"] == "all within 8.0 s, 0 marked down"
    assert rows["registrations then"] == "202 in the fullest second, 125 on average, 1 needless"


def test_figures_for_programs_are_a_document():
    document = json.loads(json.dumps(FIGURES.document()))

    assert document["steady"]["transactions_per_second"] == 0.97
