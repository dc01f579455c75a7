"""Words and columns."""

import pytest

from cli.text import Table, age, gigabytes, plural


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


def test_columns_line_up_with_wide_characters_and_numbers_stand_right():
    table = Table(["NAME", "N"], right={"N"})
    table.add((2,), ["模型", "7"])
    table.add((1,), ["x", "100"])

    assert table.text() == "NAME    N\nx     100\n模型    7"
