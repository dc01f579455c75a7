"""Words and columns."""

import pytest

from cli.text import age, gigabytes, plural


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (7_200, "2h"), (172_800, "2d")],
)
def test_age_is_in_its_largest_unit(seconds, expected):
    assert age(seconds) == expected


def test_memory_is_decimal():
    assert gigabytes(9_100_000_000) == "9.1 GB"


def test_one_is_not_many():
    assert (plural(1, "model"), plural(0, "model")) == ("1 model", "0 models")
