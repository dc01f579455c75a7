"""Figures of views, for people and for programs."""

import json

from bench.view_figures import figures
from tests.unit.bench import made


def test_figures_for_people_have_their_units():
    rows = dict(made.VIEWS.rows())

    told = "p50 2.0 ms, p99 9.0 ms, max 9.5 ms, 149 ms after a pause, 2149 kB"
    assert rows["GET /v1/models"] == told
    assert rows["CPU of the gateway for a request"] == (
        "180 us, with all that looking takes 240 us"
    )
    assert rows["metric series after 10,000 names that nobody serves"] == (
        "1 more, 50 in all, 7 kB in 7.5 ms"
    )


def test_a_document_gives_back_what_it_was_made_of():
    assert figures(json.loads(json.dumps(made.VIEWS.document()))) == made.VIEWS
