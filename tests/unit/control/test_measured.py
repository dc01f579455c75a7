import pytest

from control.measured import Counts, Measured, measured


def test_nothing_tells_nothing():
    assert measured(Counts()) == Measured(requests=0, abandoned=0)


def test_counts_tell_requests_latencies_and_speed():
    counts = Counts(
        {
            "answered": 8,
            "abandoned": 1,
            "error/upstream_error": 2,
            "error/upstream_timeout": 1,
            "prompt_tokens": 100,
            "completion_tokens": 90,
            "decoded_tokens": 80,
            "decode_us": 4_000_000,
            "first_byte/40": 7,
            "first_byte/48": 1,
        }
    )
    told = measured(counts)

    assert (told.requests, told.abandoned) == (12, 1)
    assert told.errors == {"upstream_error": 2, "upstream_timeout": 1}
    assert (told.prompt_tokens, told.completion_tokens) == (100, 90)
    assert told.first_byte_p50 == pytest.approx(1.024, rel=0.1)
    assert told.first_byte_p95 == pytest.approx(4.096, rel=0.1)
    assert told.tokens_per_second == 20.0
