from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.inventory import Asset, Operation
from control.ranking.benchmarks import NO_EVIDENCE, Evidence, Query, evidence, query
from control.ranking.presets import LEGACY, SEED
from control.ranking.quality import CORRECTNESS, outcome, quality
from tests.unit.control.ranking.trials import found, run

ASSET = Asset("qwen", (Operation.CHAT,), digest="d1")
DAY = 86_400.0


def said(wanted, *runs, scoring=LEGACY, now=0.0):
    return evidence(found(ASSET, *runs, scoring=scoring, now=now), wanted, scoring.benchmark, now)


def test_the_name_of_a_workload_fits_wholly_and_its_words_in_part():
    # 2 of the 4 words asked for are in the name: chat, short.
    asked = query(["short chat about boats"], [], LEGACY)

    assert said(asked, run("chat.short_reasoning")).overlap == 2 / 4
    assert said(query([], ["chat.short_reasoning"], LEGACY), run()).overlap == 1


def test_a_workload_that_has_nothing_of_what_is_asked_for_does_not_count():
    assert said(query(["poems"], [], LEGACY), run()) == NO_EVIDENCE


def test_everything_counts_when_nothing_special_is_asked_for():
    # Nothing fits nothing, so that only quality is left: legacy 0.45 x 0.85625.
    told = said(Query(frozenset(), frozenset()), run(), run("vision.boats"))

    assert (told.count, told.overlap) == (2, 0)
    assert told.value == pytest.approx(0.45 * 0.85625)


@pytest.mark.parametrize(("scoring", "mix"), [(LEGACY, (0.55, 0.45)), (SEED, (0.45, 0.55))])
def test_the_value_mixes_the_best_fit_and_the_best_quality(scoring, mix):
    fits, good = run(results={"pass_rate": 0.1}), run("short", {"pass_rate": 1.0})
    told = said(query(["short"], ["chat.short_reasoning"], scoring), fits, good, scoring=scoring)

    assert told.count == 2
    assert told.overlap == 1
    assert told.quality == quality(outcome({"pass_rate": 1.0}), scoring.benchmark)
    assert told.value == pytest.approx(mix[0] * 1 + mix[1] * told.quality)


def test_what_is_old_says_half_of_what_it_said_and_how_old_it_is():
    asked = Query(frozenset(["chat.short_reasoning"]), frozenset(["chat"]))
    fresh, old = (said(asked, run(), scoring=SEED, now=now) for now in (0.0, 30 * DAY))

    assert old.value == pytest.approx(fresh.value / 2)
    assert (old.count, old.overlap) == (1, 0.5)
    assert (fresh.age, old.age) == (0.0, 30 * DAY)


def test_the_age_is_that_of_the_newest_run_that_fits():
    told = said(query(["short"], [], SEED), run(), run("poems", observed_at=DAY), now=3 * DAY)

    assert told.age == 3 * DAY


def test_runs_of_other_weights_are_counted_and_say_nothing():
    assert said(query([], ["poems"], SEED), run(digest="d0")) == Evidence(replaced=1)


@given(
    st.lists(
        st.builds(
            run,
            st.sampled_from(["chat.a", "chat.b", "c"]),
            st.dictionaries(
                st.sampled_from([*CORRECTNESS, "tokens_per_sec", "ttft_ms"]),
                st.floats() | st.integers() | st.text(max_size=3) | st.none() | st.booleans(),
            ),
            st.floats(-1e9, 1e9),
        ),
        max_size=8,
    ),
    st.sampled_from([SEED, LEGACY, replace(SEED, ascii_words=True)]),
    st.randoms(use_true_random=False),
)
def test_evidence_is_within_0_and_1_and_independent_of_order(runs, scoring, random):
    asked = query(["chat a"], ["c"], scoring)
    told = said(asked, *runs, scoring=scoring)
    random.shuffle(runs)

    assert all(0 <= one <= 1 for one in (told.overlap, told.quality, told.value))
    assert said(asked, *runs, scoring=scoring) == told
