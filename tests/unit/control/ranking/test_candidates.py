import random

from control.ranking.candidates import Candidate, best, order

FIRST_TIER = Candidate("d", "m", loaded=False, score=0.1, tier=0)
GOOD = Candidate("b", "m", loaded=True, score=0.9, tier=1)
FIRST = Candidate("a", "m", loaded=False, score=0.5, tier=1)
SECOND = Candidate("a", "n", loaded=False, score=0.5, tier=1)
THIRD = Candidate("c", "a", loaded=False, score=0.5, tier=1)


def test_order_depends_on_tier_then_score_then_ids_and_not_on_arrival():
    everybody = [FIRST_TIER, GOOD, FIRST, SECOND, THIRD]
    for seed in range(10):
        shuffled = everybody.copy()
        random.Random(seed).shuffle(shuffled)
        assert sorted(shuffled, key=order) == everybody
        assert best(shuffled) == FIRST_TIER
