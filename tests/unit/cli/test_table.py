"""Columns: wide characters, numbers, narrow terminals, and nothing that a terminal obeys."""

import time

from cli.table import Row, table

ROWS = [Row((2,), ["模型", "7"], "red"), Row((1,), ["x [bold]y[/] :smile:", "100"])]


def test_columns_line_up_with_wide_characters_and_numbers_stand_right():
    assert table(["NAME", "N"], ROWS, numbers={"N"}).splitlines() == [
        "NAME                    N",
        "x [bold]y[/] :smile:  100",
        "模型                    7",
    ]


def test_colour_is_on_one_column():
    text = table(["NAME", "N"], ROWS, colored="NAME")

    assert text.count("\x1b[31m") == 1
    assert "\x1b[31m模型\x1b[0m" in text


def test_without_a_terminal_no_row_is_ever_cut():
    long = "a" * 5_000
    assert table(["NAME", "N"], [Row((1,), [long, "1"])]).splitlines()[1] == f"{long}  1"


def test_on_a_narrow_terminal_text_wraps_and_numbers_stay_whole():
    rows = [Row((1,), ["a-name-of-thirty-characters-ok", "9.1 GB"])]
    lines = table(["NAME", "FREE MEM"], rows, numbers={"FREE MEM"}, width=20).splitlines()

    assert max(map(len, lines)) <= 20
    assert "".join(line[:10].strip() for line in lines[1:]) == "a-name-of-thirty-characters-ok"
    assert lines[1].endswith("9.1 GB")


def test_environment_changes_nothing(monkeypatch):
    before = table(["NAME", "N"], ROWS, colored="NAME")
    for name, value in {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "5", "FORCE_COLOR": ""}.items():
        monkeypatch.setenv(name, value)

    assert table(["NAME", "N"], ROWS, colored="NAME") == before


def test_thousands_of_rows_are_there_at_once():
    rows = [Row((number,), [f"service-{number}", "up", "1"]) for number in range(10_000)]
    began = time.process_time()
    lines = table(["SERVICE", "STATE", "N"], rows, colored="STATE", width=80).splitlines()

    assert len(lines) == 10_001
    assert time.process_time() - began < 1.0  # with rich it is three or more
