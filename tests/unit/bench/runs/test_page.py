"""The page of a run stands alone and takes nothing for markup."""

import xml.etree.ElementTree as ElementTree

from bench.runs import page
from tests.unit.bench.runs.made import failed, record, run


def body(made):
    """Return the page as XML: it is well-formed but for its doctype."""
    text = page.page(made)
    return ElementTree.fromstring(text.partition("\n")[2].replace('<meta charset="utf-8">', ""))


def test_every_answer_is_a_dot_and_needs_nothing_from_elsewhere():
    made = run([*(record(ttft=float(n)) for n in range(50, 70)), failed(service="h1/s")])
    circles = body(made).findall(".//{http://www.w3.org/2000/svg}circle")

    assert len(circles) == 20 * 4  # one in each picture
    text = page.page(made)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in text


def test_names_of_others_are_text():
    made = run([record(service="<script>alert(1)</script>")], stopped="<b>")
    text = page.page(made)

    assert "<script>" not in text
    assert "Partial: &lt;b&gt;" in text


def test_what_has_no_times_has_no_picture():
    made = run([record(ttft=None, tokens=1, latency_ms=5.0)])
    assert len(body(made).findall(".//h2")) == 1


def test_very_many_requests_stay_a_page():
    made = run([record(ttft=100.0 + n / 100) for n in range(10_000)])
    assert page.page(made).count("<circle") <= 4 * page.DOTS


def test_no_request_at_all_is_a_page_too():
    assert body(run([])).find(".//table") is not None
