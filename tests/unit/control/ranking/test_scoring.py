import random

from control.ranking.scoring import Candidate, best, order

LOADED = Candidate("b", "m", loaded=True)
FIRST = Candidate("a", "m", loaded=False)
SECOND = Candidate("a", "n", loaded=False)
THIRD = Candidate("c", "a", loaded=False)


def test_a_loaded_asset_scores_1_and_another_0():
    assert (LOADED.score, FIRST.score) == (1.0, 0.0)


def test_order_depends_on_score_then_ids_and_not_on_arrival():
    everybody = [LOADED, FIRST, SECOND, THIRD]
    for seed in range(10):
        shuffled = everybody.copy()
        random.Random(seed).shuffle(shuffled)
        assert sorted(shuffled, key=order) == [LOADED, FIRST, SECOND, THIRD]
        assert best(shuffled) == LOADED
