import unicodedata

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


def test_what_may_not_be_shown_is_what_the_database_of_characters_says():
    """Bidirectional marks are but some of its formatting characters; others join and shape."""
    bidirectional = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    for one in map(chr, range(0x10000)):
        hidden = one in bidirectional or unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")

        assert unprintable(one) == (one if hidden else None)
