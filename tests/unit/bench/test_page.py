"""The page of the documentation is what its figures amount to."""

from xml.etree import ElementTree

import pytest

from bench import page, plot, results, svg, tables
from bench.targets import DIRECT, NGINX, OURS
from cli.output import Failure
from tests.unit.bench import made

FOUND = made.results((DIRECT, 5.0, 40.0), (NGINX, 10.0, 100.0), (OURS, 15.0, 130.0))


def test_the_page_is_what_the_committed_figures_render_to():
    kept = results.read(page.DOCS / "performance.json")
    text = (page.DOCS / "performance.md").read_text()

    assert page.filled(text, tables.render(kept)) == text, "run `make bench`"


def test_the_picture_is_what_the_committed_figures_render_to():
    kept = results.read(page.DOCS / "performance.json")
    assert plot.draw(kept) == (page.DOCS / "performance.svg").read_text(), "run `make bench`"


def test_publishing_replaces_what_is_between_the_marks(tmp_path):
    begin, end = "<!-- made by `make bench`: begin -->", "<!-- end -->"
    (tmp_path / "performance.md").write_text(f"# A\n\n{begin}\nold\n{end}\n\nafter\n")

    page.publish(FOUND, tmp_path)

    text = (tmp_path / "performance.md").read_text()
    assert text.startswith("# A\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert tables.render(FOUND) in text
    assert results.read(tmp_path / "performance.json") == FOUND


def test_without_a_page_nothing_is_published(tmp_path):
    with pytest.raises(Failure, match="checkout"):
        page.publish(FOUND, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_figures_are_kept_apart_from_the_documentation(tmp_path):
    kept = page.keep(FOUND, tmp_path / "bench")

    assert kept.name == "compare-2026-01-02-0304.json"
    assert results.read(kept) == FOUND


def test_the_picture_shows_every_target():
    root = ElementTree.fromstring(plot.draw(FOUND))

    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {DIRECT, NGINX, OURS} <= set(texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 3


@pytest.mark.parametrize(
    ("value", "pixel"), [(1.0, 0.0), (10.0, 50.0), (100.0, 100.0), (0.1, 0.0), (1e9, 100.0)]
)
def test_an_axis_gives_every_decade_the_same_room(value, pixel):
    axis = svg.decades([2.0, 70.0], 0.0, 100.0)

    assert axis.at(value) == pytest.approx(pixel)
    assert axis.ticks() == [1.0, 10.0, 100.0]
    assert axis.finer_ticks() == [1, 2, 5, 10, 20, 50, 100]
