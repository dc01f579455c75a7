import time

import pytest

from control.ranking.overlap import recall, words


@pytest.mark.parametrize(
    ("text", "seed", "legacy"),
    [
        ("Fast, technical REASONING!", {"fast", "technical", "reasoning"}, None),
        ("qwen3:14b_Q4-K", {"qwen3", "14b", "q4", "k"}, None),
        ("résumé", {"résumé"}, {"r", "sum"}),
        ("re\u0301sume\u0301", {"résumé"}, {"re", "sume"}),
        ("Überblick 漢字 ночь", {"überblick", "漢字", "ночь"}, {"berblick"}),
        (" _-./ ", set(), None),
        ("", set(), None),
    ],
    ids=["words", "ids", "accents", "accents-apart", "scripts", "no-words", "empty"],
)
def test_words_are_in_lower_case_and_parted_by_all_that_is_no_letter(text, seed, legacy):
    assert words(text) == seed
    assert words(text, ascii_only=True) == (seed if legacy is None else legacy)


def test_texts_never_grow_together():
    assert words("chat", "short") == {"chat", "short"}


@pytest.mark.parametrize(
    ("wanted", "found", "share"),
    [
        ({"short", "reasoning"}, {"reasoning", "chat"}, 1 / 2),
        ({"short"}, {"short", "and", "more", "words"}, 1),
        ({"short"}, set(), 0),
        (set(), {"short"}, 0),
        (set(), set(), 0),
    ],
)
def test_overlap_is_the_share_of_what_is_wanted(wanted, found, share):
    """More words in a candidate never make it worse, as they would by Jaccard."""
    assert recall(wanted, found) == share


@pytest.mark.parametrize("text", ["word " * 200_000, "e\u0301" * 500_000, "_" * 1_000_000])
def test_a_text_of_a_megabyte_is_read_in_one_pass(text):
    """Bounded far above the 25 ms that it takes, and far below what a quadratic way would."""
    started = time.process_time()
    words(text)

    assert time.process_time() - started < 10
