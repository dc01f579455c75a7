import math
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.engines import metrics_text
from node.engines.http import Reply
from node.engines.metrics_text import MAX_BOUNDS, MAX_LINE_BYTES, MAX_SAMPLES, parse
from node.engines.sight import Histogram

SCRAPE = b"""\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="qwen3"} 4.0
vllm:num_requests_running{engine="1",model_name="qwen3"} 2.0
vllm:kv_cache_usage_perc{engine="0",model_name="qwen3"} 0.011
vllm:kv_cache_usage_perc{engine="1",model_name="qwen3"} 0.5
llamacpp:prompt_tokens_total 12 1758000000000
wait_seconds_bucket{engine="0",le="0.5"} 1.0
wait_seconds_bucket{engine="0",le="1.0"} 3.0
wait_seconds_bucket{engine="0",le="+Inf"} 4.0
wait_seconds_bucket{engine="1",le="0.5"} 0.0
wait_seconds_bucket{engine="1",le="1.0"} 1.0
wait_seconds_bucket{engine="1",le="+Inf"} 1.0
wait_seconds_sum{engine="0"} 3.5
wait_seconds_count{engine="0"} 4.0
"""


def test_series_are_found_by_name_and_labels():
    metrics = parse(SCRAPE)

    assert metrics.total("vllm:num_requests_running") == 6
    assert metrics.total("vllm:num_requests_running", engine="1") == 2
    assert metrics.highest("vllm:kv_cache_usage_perc") == 0.5
    assert metrics.total("llamacpp:prompt_tokens_total") == 12
    assert metrics.label("vllm:num_requests_running", "model_name") == "qwen3"


def test_what_is_not_told_is_none():
    metrics = parse(SCRAPE)

    assert metrics.total("nothing") is None
    assert metrics.total("vllm:num_requests_running", engine="7") is None
    assert metrics.highest("nothing") is None
    assert metrics.label("vllm:num_requests_running", "nothing") is None
    assert metrics.histogram("vllm:num_requests_running") is None


def test_histograms_of_several_engines_are_added_up():
    metrics = parse(SCRAPE)

    both = Histogram((0.5, 1.0, math.inf), (1, 4, 5))
    assert metrics.histogram("wait_seconds") == both
    assert metrics.histogram("wait_seconds", engine="1") == Histogram(both.bounds, (0, 1, 1))


@pytest.mark.parametrize(
    "lines",
    [
        ['w_bucket{le="1"} 5', 'w_bucket{le="2"} 3'],
        ['w_bucket{a="1",le="1"} 5', 'w_bucket{a="1",le="2"} 6', 'w_bucket{a="2",le="2"} 3'],
        ['w_bucket{le="nan"} 5'],
        ['w_bucket{le="-1"} 5'],
        ['w_bucket{le="much"} 5'],
        ["w_bucket 5"],
        ['w_bucket{le="1"} 1e308', 'w_bucket{a="2",le="1"} 1e308'],
        [f'w_bucket{{le="{bound}"}} {bound}' for bound in range(MAX_BOUNDS + 1)],
    ],
    ids=[
        "falls",
        "bounds-differ",
        "nan",
        "negative",
        "no-number",
        "no-bound",
        "more-than-a-number",
        "too-many",
    ],
)
def test_a_histogram_that_makes_no_sense_is_none(lines):
    assert parse("\n".join(lines).encode()).histogram("w") is None


@pytest.mark.parametrize(
    "line",
    [
        "a NaN",
        "a +Inf",
        "a -Inf",
        "a -1",
        "a 1e999",
        "a",
        "a one",
        "a 1_0",
        "a 0x10",
        "a 1.2.3",
        "a1",
        'a{x="1" 1',
        'a{x="1} 1',
        "a{x=1} 1",
        'a{x="1" y="2"; } 1',
        'a{"x"} 1',
        "# a 1",
        "\0a 1",
        "a\0 1",
        "<p>a 1</p>",
        "a 1" + " " * MAX_LINE_BYTES,
    ],
)
def test_a_broken_line_costs_itself_alone(line):
    metrics = parse(f"before 1\n{line}\nafter 2\n".encode())

    assert metrics.total("a") is None
    assert (metrics.total("before"), metrics.total("after")) == (1, 2)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""], ids=["lf", "crlf", "cut"])
def test_lines_end_as_they_like(ending):
    assert parse(b"a 1" + ending).total("a") == 1


def test_labels_hold_whatever_is_escaped():
    metrics = parse(rb'a{x="say \"hi\"\n\\n }",y=" , ",z="\xc3"} 1')

    assert metrics.label("a", "x") == 'say "hi"\n\\n }'
    assert metrics.label("a", "y") == " , "


def test_labels_that_are_no_text_are_shown_as_far_as_they_are():
    assert parse(b'a{x="\xff"} 1').label("a", "x") == "\N{REPLACEMENT CHARACTER}"


def test_of_a_series_told_twice_the_first_counts():
    assert parse(b'a{x="1"} 1\na{x="1"} 5\na{x="2"} 2\n').total("a") == 3


def test_a_sum_beyond_numbers_is_none():
    assert parse(b'a{x="1"} 1e308\na{x="2"} 1e308\n').total("a") is None


def test_no_more_samples_are_kept_than_any_engine_tells():
    body = b"".join(b'a{x="%d"} 1\n' % number for number in range(MAX_SAMPLES + 10))

    assert parse(body).total("a") == MAX_SAMPLES


@given(st.binary(max_size=300) | st.text(alphabet='a{}=",\\ \n1.e-+', max_size=60))
def test_whatever_is_read_nothing_is_raised(body):
    metrics = parse(body if isinstance(body, bytes) else body.encode())

    total = metrics.total("a")
    assert total is None or 0 <= total < math.inf


@pytest.mark.parametrize(
    "body",
    [
        b'a{x="' + rb"\"" * 1_000_000 + b'"} 1\n',
        b'a{x="' + rb"\"" * 1_900 + b'"} 1\n',
        b"a" + b"{" * 4_000_000,
        b"a{" + b'x="1",' * 600 + b"} 1\n",
        b"a{" + b'"x' * 1_900 + b"\n",
        b"\n",
        b"a 1\n",
    ],
    ids=["quotes", "quotes-by-line", "braces", "labels-by-line", "half-quotes", "empty", "short"],
)
def test_4_mb_of_anything_cost_little(body):
    """Of the processor's time, which no noise of the machine adds to; 0.2 s were the most."""
    body = body * ((4 << 20) // len(body))

    before = time.thread_time()
    parse(body)

    assert time.thread_time() - before < 2


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "total"), [(200, 1), (404, None), (0, None)])
async def test_only_a_good_answer_tells_something(status, total):
    assert (await metrics_text.read(Reply(status, b"a 1\n"))).total("a") == total


@pytest.mark.anyio
async def test_a_long_text_is_read_on_another_thread(monkeypatch):
    threads = []
    monkeypatch.setattr(metrics_text, "parse", lambda _: threads.append(threading.get_ident()))

    await metrics_text.read(Reply(200, b"a 1\n"))
    await metrics_text.read(Reply(200, b"a 1\n" * metrics_text.AT_ONCE_BYTES))

    assert threads[0] == threading.get_ident() != threads[1]
