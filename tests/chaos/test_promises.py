"""The short form of every promise that can be measured, and the page of the full ones."""

import pytest

from tests.chaos import results
from tests.chaos.catalogue import HERE, PROMISES, Entry
from tests.chaos.promise import SLACK_IN_TESTS, NotMeasurable

MEASURED = [entry for entry in PROMISES if entry.module]


@pytest.mark.parametrize("entry", MEASURED, ids=lambda entry: entry.name)
def test_it_is_kept(entry: Entry, tmp_path, capsys):
    try:
        figures = entry.promise().measure("short", tmp_path)
    except NotMeasurable as error:
        pytest.skip(str(error))
    with capsys.disabled():
        shown = "; ".join(f"{one.what}: {one.measured:g} {one.unit}".strip() for one in figures)
        print(f"\n  {entry.name} {shown}")  # figures to read

    assert [one for one in figures if not one.holds(SLACK_IN_TESTS)] == []


def test_there_is_an_entry_for_every_promise_and_every_run():
    assert [entry.number for entry in PROMISES] == list(range(1, 51))
    runs = {path.stem[:3] for path in HERE.glob("r[0-9][0-9]_*.py")}
    assert runs == {f"r{entry.number:02}" for entry in MEASURED}
    # What nobody measures says why.
    assert all(entry.later for entry in PROMISES if entry not in MEASURED)


def test_the_page_is_what_the_results_render_to():
    kept = results.kept_results()
    page = results.PAGE.read_text()

    assert page == results.rendered(kept)
    for entry in PROMISES:
        assert f"| {entry.name} | {entry.title} |" in page
