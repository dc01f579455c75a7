import pytest

from control.text import printable, unprintable


@pytest.mark.parametrize("text", ["", "plain", "Größe", "模型", "a b", "👩‍💻", "=cmd()", "<img>"])
def test_ordinary_text_is_printable(text):
    assert unprintable(text) is None
    assert printable(text, 100) == text


@pytest.mark.parametrize("bad", list("\0\n\r\t\x1b\x7f\x85\u2028\u2029\u202e\u2066\u200f"))
def test_controls_and_direction_marks_are_found_and_replaced(bad):
    assert unprintable(f"a{bad}b") == bad
    assert printable(f"a{bad}b", 100) == "a b"
