from control.api.strategies import Strategy
from control.ranking.candidates import Candidate
from control.ranking.picking import Load
from control.ranking.whatif import Lead, lead, would_change

SCORED, LEAST = Strategy.SCORED, Strategy.LEAST_LOADED
STEPS = ((2, 0.09), (5, 0.2))
TOWER = Candidate("tower/s", "qwen3:14b", True, 0.70, 0, 0.4)
LAPTOP = Candidate("laptop/s", "qwen3:8b", True, 0.55, 0, 0.4)
ATTIC = Candidate("attic/s", "qwen3:8b", True, 0.99, 1, 0.4)
COLD = Candidate("tower/s", "qwen3:14b", False, 0.50, 0, 0.2)
ALL = [TOWER, LAPTOP, ATTIC]


def test_a_lead_is_told_in_what_the_strategy_compares():
    busy = {"tower/s": Load(1), "laptop/s": Load(3, 1)}

    assert lead(SCORED, ALL, {}, STEPS) == Lead("tower/s", "laptop/s", 0.15)
    assert lead(SCORED, ALL, {"tower/s": Load(0, 2)}, STEPS) == Lead("tower/s", "laptop/s", 0.06)
    assert lead(LEAST, ALL, busy, STEPS) == Lead("tower/s", "laptop/s", 3)


def test_there_is_no_lead_without_a_second_or_where_turns_or_chance_decide():
    assert lead(SCORED, [], {}, STEPS) is None
    assert lead(SCORED, [TOWER, ATTIC], {}, STEPS) is None
    assert lead(Strategy.ROUND_ROBIN, ALL, {}, STEPS) is None
    assert lead(Strategy.POWER_OF_TWO, ALL, {}, STEPS) is None


def test_of_scores_an_asset_that_leaves_memory_or_a_queue_would_change_the_pick():
    assert would_change(SCORED, ALL, {}, STEPS, COLD) == (
        "qwen3:14b unloaded (-0.20)",
        "its queue >= 5 (-0.20)",
    )


def test_what_would_not_change_the_pick_is_not_told():
    close = [TOWER, Candidate("laptop/s", "qwen3:8b", True, 0.45, 0, 0.4)]

    assert would_change(SCORED, close, {}, STEPS, COLD) == ()
    assert would_change(SCORED, [TOWER], {}, STEPS, None) == ()
    assert would_change(Strategy.ROUND_ROBIN, ALL, {}, STEPS, None) == ()


def test_who_would_serve_no_more_leaves_its_place_to_the_next():
    assert would_change(SCORED, ALL, {}, STEPS, None)[0] == "qwen3:14b unloaded"


def test_of_loads_so_many_more_requests_would_change_the_pick():
    busy = {"tower/s": Load(1), "laptop/s": Load(3)}
    swapped = {"tower/s": Load(3), "laptop/s": Load(1)}
    cold = Candidate("tower/s", "qwen3:14b", False, 0.50, 1, 0.2)

    assert would_change(LEAST, ALL, {}, STEPS, TOWER) == ("1 more request at tower/s",)
    assert would_change(LEAST, ALL, busy, STEPS, TOWER) == ("3 more requests at tower/s",)
    assert would_change(LEAST, ALL, swapped, STEPS, LAPTOP) == ("2 more requests at laptop/s",)
    assert would_change(LEAST, ALL, {}, STEPS, cold) == (
        "qwen3:14b unloaded",
        "1 more request at tower/s",
    )


def test_a_model_that_leaves_takes_its_place_in_the_memory_along():
    """Where its memory is empty then, the same service may load it again."""
    first = Candidate("tower/s", "m", True, 0.7, 0, 0.4)
    other = Candidate("laptop/s", "m", True, 0.5, 0, 0.4)
    gone = Candidate("tower/s", "m", False, 0.5, 0, 0.4, absent=True)
    soonest = Strategy.EXPECTED_COMPLETION

    def told(models):
        loads = {"tower/s": Load(loaded_assets=models), "laptop/s": Load(pending_s=1_000.0)}
        return would_change(soonest, [first, other], loads, STEPS, gone)

    assert "m unloaded" in told(2)
    assert "m unloaded" not in told(1)


def test_nobody_leads_over_who_would_load_what_it_has():
    """Or a busy one led by less than nothing over one that is not asked anyway."""
    first = Candidate("tower/s", "m", True, 0.5, 0, 0.4)
    cold = Candidate("laptop/s", "m", False, 0.9, 0, 0.4, absent=True)
    loads = {"tower/s": Load(50, 50), "laptop/s": Load(loaded_assets=1)}

    for strategy in (SCORED, LEAST, Strategy.EXPECTED_COMPLETION):
        assert lead(strategy, [first, cold], loads, STEPS) is None
    empty = {"tower/s": Load()}
    found = lead(Strategy.EXPECTED_COMPLETION, [first, cold], empty, STEPS)
    assert found is not None
    assert found.by > 0
