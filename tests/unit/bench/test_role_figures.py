"""Figures of roles, for people and for programs."""

import json

from bench.role_figures import figures
from tests.unit.bench import made


def test_figures_for_people_have_their_units():
    rows = dict(made.ROLES.rows())

    assert rows["services, roles"] == "1,000, 100 each open to all"
    assert rows["an update about it"] == "10.2 kB"
    assert rows["CPU for it"] == "2.7 ms in control, 5.6 ms in a gateway"
    assert rows["requests, 20 changes/s"] == "p50 230 us, p99 2,000 us, max 4,000 us"
    assert rows["one service changes, node to gateway"] == "p50 7.0 ms, p99 20.0 ms, max 33.3 ms"


def test_no_two_figures_have_one_name():
    names = [name for name, _ in made.ROLES.rows()]

    assert len(set(names)) == len(names)


def test_a_document_gives_back_what_it_was_made_of():
    assert figures(json.loads(json.dumps(made.ROLES.document()))) == made.ROLES
