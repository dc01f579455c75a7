"""Frames: what is drawn over what was there, within the screen."""

from hypothesis import given
from hypothesis import strategies as st

from cli.terminal import BEGIN, END, END_LINE, END_SCREEN, HOME, frame

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF) | st.just("\n"))


def shown(drawn):
    """Return the lines that a frame leaves on the screen."""
    assert drawn.startswith(BEGIN + HOME)
    assert drawn.endswith(END_SCREEN + END)
    inner = drawn.removeprefix(BEGIN + HOME).removesuffix(END_SCREEN + END)
    return [line.removesuffix(END_LINE) for line in inner.split("\r\n")]


def test_every_line_clears_what_was_behind_it():
    drawn = frame("one\ntwo", "q quits", 80, 24)

    assert drawn.count(END_LINE) == 3
    assert shown(drawn) == ["one", "two", "q quits"]


def test_what_is_below_the_screen_is_counted_and_the_footer_stays():
    text = "\n".join(str(number) for number in range(100))

    assert shown(frame(text, "q quits", 80, 5)) == ["0", "1", "2", "... 97 more lines", "q quits"]


def test_long_hints_wrap_and_coloured_rows_stay():
    row = "\x1b[31mdown\x1b[0m " + "x" * 20
    lines = shown(frame(f"{row}\n! tower: look at its power", "q", 16, 24))

    assert lines == [row, "! tower: look at", "its power", "q"]


@given(TEXTS, st.integers(1, 200), st.integers(1, 60))
def test_a_frame_never_scrolls(text, width, height):
    assert len(shown(frame(text, "q quits", width, height))) <= max(height, 1)
