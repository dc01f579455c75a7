"""How fast services are is learned from what they answer."""

import gc
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.api.completion import OVERHEAD_S
from gateway.rates import Learned
from gateway.reasoning import Usage
from gateway.timings import Timings
from gateway.told import Told

READS, WRITES, BYTES = 2_000.0, 50.0, 5.0  # of the engine that is learned: tokens/s, and bytes


def rates(service_id="h/a", asset_id="m", learned=None):
    return (learned or Learned()).rates(service_id, asset_id)


def answer(
    one, prompt=1_000, tokens=101, *, streamed=True, timings=None, usage=True, depth=0, now=0.0
):
    """Let it learn an answer of the engine, as the gateway sees it."""
    size = round(prompt * BYTES)
    first_s = OVERHEAD_S + prompt / READS
    whole_s = first_s + (tokens - 1) / WRITES
    if streamed:
        one.first_token(size, 0.0, first_s, now)
    one.answered(
        size,
        depth,
        first_s if streamed else whole_s,
        whole_s,
        Usage(prompt, tokens) if usage else None,
        timings,
        tokens if streamed else 0,
        streamed=streamed,
        now=now,
    )


def test_where_nothing_is_known_there_are_guesses():
    one = rates()

    assert (one.prefill, one.load_s, one.answer, one.bytes_per_token) == (1_000, 10, 200, 4)
    assert one.prompt(4_000) == 1_000
    assert one.prefill_s(4_000) == pytest.approx(1.02)
    assert one.token_s(1) == pytest.approx(1 / 40)
    assert one.decode_s(0, 1) == pytest.approx(5.0)


def test_an_answer_is_no_longer_than_it_may_be():
    one = rates()

    assert one.decode_s(20, 1) == pytest.approx(0.5)
    assert one.decode_s(2_000, 1) == pytest.approx(5.0)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("wrong", [0.1, 1.0, 10.0])
def test_20_answers_tell_the_truth(streamed, wrong):
    one = rates()
    one.tell(Told("h/a", "m", READS * wrong, ((1, WRITES * wrong),), bytes_per_token=BYTES * wrong))

    for _ in range(20):
        answer(one, streamed=streamed)

    if streamed:  # else how the time is shared out is a guess
        assert one.prefill == pytest.approx(READS, rel=0.2)
        assert one.token_s(1) == pytest.approx(1 / WRITES, rel=0.2)
    whole_s = OVERHEAD_S + 1_000 / READS + 101 / WRITES
    assert one.prefill_s(5_000) + one.decode_s(0, 1) == pytest.approx(whole_s, rel=0.2)
    assert one.bytes_per_token == pytest.approx(BYTES, rel=0.2)
    assert one.answer == 101


def test_prompts_that_were_read_before_count_as_read():
    one = rates()
    one.tell(Told("h/a", "m", READS, bytes_per_token=BYTES))

    for _ in range(20):
        one.first_token(5_000, 3.0, OVERHEAD_S + 3.0 + 1_000 / READS, 0.0)

    assert one.prefill == pytest.approx(READS, rel=0.01)


def test_of_a_stream_that_counts_no_tokens_its_events_tell():
    one = rates()

    for _ in range(20):
        answer(one, usage=False)

    assert one.token_s(1) == pytest.approx(1 / WRITES, rel=0.05)
    assert one.answer == 101


def test_what_the_engine_says_itself_counts_more():
    one = rates()
    timings = Timings(1_000, 0.1, 101, 1.0, 0)

    for _ in range(20):
        answer(one, timings=timings)

    assert one.prefill == pytest.approx(10_000, rel=0.05)
    assert one.token_s(1) == pytest.approx(1 / 100, rel=0.05)


def test_an_engine_that_says_nothing_any_more_is_measured_again():
    one = rates()
    answer(one, timings=Timings(1_000, 0.1, 101, 1.0, 0))

    for _ in range(20):
        answer(one)

    assert one.prefill == pytest.approx(READS, rel=0.1)


def test_cached_tokens_are_part_of_the_prompt_and_not_of_its_speed():
    one = rates()
    timings = Timings(100, 0.1, 101, 1.0, 900)

    one.answered(5_000, 0, 0.2, 2.0, None, timings, 0, streamed=False, now=0.0)

    assert one.bytes_per_token == pytest.approx(5.0)
    assert one.prefill == pytest.approx(1_000)


def test_an_answer_without_tokens_tells_how_fast_prompts_are_read():
    """As of who only embeds: its end is not that of an answer."""
    one = rates()

    for _ in range(20):
        answer(one, tokens=0, streamed=False)

    assert one.answer == 0
    assert one.decode_s(0, 1) == 0.0
    assert one.prefill == pytest.approx(READS, rel=0.05)


def test_of_who_counts_nothing_the_whole_time_is_learned():
    """As of who makes pictures: the sum is right, whatever its parts are."""
    one = rates()

    for _ in range(40):
        one.answered(400, 0, 30.0, 30.0, None, None, 0, streamed=False, now=0.0)

    assert one.prefill_s(400) + one.decode_s(0, 1) == pytest.approx(30.0, rel=0.1)


def test_of_many_whole_answers_both_speeds_are_learned():
    """Answers of unlike length tell what reading takes and what writing does."""
    one = rates()

    for _ in range(30):
        answer(one, 2_000, 10, streamed=False)
        answer(one, 100, 200, streamed=False)

    assert one.prefill == pytest.approx(READS, rel=0.25)
    assert one.token_s(1) == pytest.approx(1 / WRITES, rel=0.1)


def test_answers_beside_others_are_told_apart():
    one = rates()

    for _ in range(20):
        one.answered(400, 7, 0.1, 10.1, Usage(100, 101), None, 0, streamed=True, now=0.0)
        one.answered(400, 0, 0.1, 2.1, Usage(100, 101), None, 0, streamed=True, now=0.0)

    assert one.token_s(1) == pytest.approx(1 / 50)
    assert one.token_s(8) == pytest.approx(1 / 10)


def test_a_shorter_load_counts_at_once_and_a_longer_one_a_little():
    one = rates()

    one.loaded(20.0)
    assert one.load_s == 20.0
    one.loaded(30.0)
    assert one.load_s == pytest.approx(22.0)
    one.loaded(5.0)
    assert one.load_s == 5.0


@pytest.mark.parametrize("odd", [0.0, -1.0, float("nan"), float("-inf")])
def test_an_odd_load_is_none(odd):
    one = rates()

    one.loaded(odd)

    assert one.load_s == 10.0


def test_who_is_unknown_is_as_good_as_the_best_of_the_same_asset():
    learned = Learned()
    known, other, new = (rates(name, learned=learned) for name in ("h/a", "h/b", "h/new"))
    alien = rates("h/a", "another", learned)
    for _ in range(20):
        answer(known)
    other.tell(Told("h/b", "m", 100.0, ((1, 5.0),), 20.0))

    assert new.prefill == pytest.approx(known.prefill, rel=0.01)
    assert new.token_s(1) == pytest.approx(known.token_s(1), rel=0.01)
    assert new.token_s(4) > new.token_s(1)
    assert (new.answer, new.bytes_per_token) == (known.answer, known.bytes_per_token)
    assert (other.prefill, other.load_s, new.load_s) == (100.0, 20.0, 10.0)
    assert alien.prefill == 1_000


def test_a_busy_service_is_measured_some_50_times_a_second():
    one = rates()
    taken = 0

    for step in range(10_000):
        now = step / 1_000
        if one.due(now):
            taken += 1
            one.first_token(4_000, 0.0, 0.1, now)

    assert 400 <= taken <= 600


def test_what_always_follows_something_else_has_its_turn():
    """First tokens come just after an answer has ended, where one takes the slot of another."""
    one = rates()
    taken = {"ends": 0, "begins": 0}

    for step in range(10_000):
        for what, now in (("ends", step / 50), ("begins", step / 50 + 0.001)):
            if one.due(now):
                taken[what] += 1
                one.first_token(4_000, 0.0, 0.1, now)

    assert min(taken.values()) >= 1_000


def test_of_a_service_that_is_not_busy_all_is_measured():
    """Also when the next request comes as soon as the last one was answered."""
    one = rates()

    for step in range(100):
        assert one.due(step / 10)
        answer(one, streamed=False, now=step / 10)
        assert one.due(step / 10)
        one.first_token(4_000, 0.0, 0.1, step / 10)


def test_a_clock_that_stands_still_is_no_error():
    one = rates()
    while one.due(5.0):
        one.first_token(4_000, 0.0, 0.1, 5.0)

    assert one.due(7.0)


def test_the_same_rates_serve_as_long_as_somebody_holds_them():
    learned = Learned()
    one = rates(learned=learned)

    assert rates(learned=learned) is one
    assert rates("h/b", learned=learned) is not one
    assert [told.asset_id for told in learned.known("h/a")] == ["m"]

    del one
    gc.collect()

    assert learned.known("h/a") == []


def test_who_comes_again_begins_with_what_was_told_last():
    learned = Learned()
    one = rates(learned=learned)
    answer(one)
    (told,) = learned.news(10)
    del one
    gc.collect()

    again = rates(learned=learned)

    assert (again.prefill, again.answer) == (told.prefill, told.answer)
    assert learned.news(10) == []


def test_start_values_may_come_before_the_service_does():
    learned = Learned()
    learned.tell([Told("h/a", "m", 300.0, ((2, 9.0),), 7.0, 60.0, 3.5)])

    one = rates(learned=learned)

    assert (one.prefill, one.load_s, one.answer, one.bytes_per_token) == (300.0, 7.0, 60.0, 3.5)
    assert one.token_s(2) == pytest.approx(1 / 9)


def test_what_was_told_never_counts_over_what_was_measured():
    learned = Learned()
    one = rates(learned=learned)
    answer(one)
    one.loaded(3.0)
    before = one.told(own=True)

    learned.tell([Told("h/a", "m", 1.0, ((1, 1.0), (8, 4.0)), 99.0, 9.0, 99.0)])

    assert one.told(own=True) == before
    assert one.told(own=False).decode == ((1, 50.0), (8, 4.0))


def test_start_values_are_not_kept_for_ever():
    learned = Learned()
    learned.tell(Told(f"h/{number}", "m", 300.0) for number in range(10_001))

    assert rates("h/0", learned=learned).prefill == 1_000
    assert rates("h/10000", learned=learned).prefill == 300


def test_only_own_measurements_are_news():
    learned = Learned()
    one = rates(learned=learned)
    learned.tell([Told("h/a", "m", 300.0, ((2, 9.0),), 7.0, 60.0, 3.5)])
    assert learned.news(10) == []

    answer(one, usage=False)
    (told,) = learned.news(10)

    assert told.samples == 1
    assert [level for level, _ in told.decode] == [1]
    assert (told.load_s, told.bytes_per_token) == (None, None)


def test_what_hardly_changed_is_no_news():
    learned = Learned()
    one = rates(learned=learned)
    for _ in range(20):
        answer(one)
    assert len(learned.news(10)) == 1

    answer(one)
    assert learned.news(10) == []
    answer(one, tokens=201, depth=3)
    assert len(learned.news(10)) == 1
    one.loaded(3.0)
    assert len(learned.news(10)) == 1
    for _ in range(30):
        answer(one)
    assert len(learned.news(10)) == 1


def test_news_are_taken_in_parts():
    learned = Learned()
    held = [rates(f"h/{number}", learned=learned) for number in range(5)]
    for one in held:
        answer(one)

    parts = [[told.service_id for told in learned.news(2)] for _ in range(4)]

    assert parts == [["h/0", "h/1"], ["h/2", "h/3"], ["h/4"], []]


ANY = st.floats() | st.floats(1e-320, 1e300) | st.floats(0, 100)
COUNTS = st.integers(0, 2**53)
SIZES = st.integers(0, 2**40)
USAGES = st.none() | st.builds(Usage, COUNTS, COUNTS)
TIMINGS = st.none() | st.builds(
    Timings, st.integers(0, 10**9), st.floats(0, 1e6), COUNTS, st.floats(0, 1e6), COUNTS
)
STEPS = (
    st.tuples(st.just("first_token"), SIZES, ANY, ANY, ANY)
    | st.tuples(
        st.just("answered"),
        SIZES,
        st.integers(-5, 10**6),
        ANY,
        ANY,
        USAGES,
        TIMINGS,
        st.integers(-1, 10**9),
        st.booleans(),
        ANY,
    )
    | st.tuples(st.just("loaded"), ANY)
    | st.tuples(
        st.just("tell"),
        ANY | st.none(),
        st.lists(st.tuples(st.integers(-5, 10**6), ANY), max_size=4),
        ANY | st.none(),
        ANY | st.none(),
        ANY | st.none(),
    )
)


@given(st.lists(STEPS, max_size=20), SIZES, st.integers(-1, 2**40), st.integers(-5, 10**6))
def test_rates_are_finite_and_in_range_whatever_comes(steps, size, most, concurrency):
    learned = Learned()
    one, other = rates(learned=learned), rates("h/b", learned=learned)

    for what, *values in steps:
        if what == "answered":
            *values, streamed, now = values
            one.answered(*values, streamed=streamed, now=now)
        elif what == "tell":
            prefill, decode, *rest = values
            learned.tell([Told("h/a", "m", prefill, tuple(decode), *rest)])
        else:
            getattr(one, what)(*values)

    for each in (one, other):
        assert 0.1 <= each.prefill <= 1e7
        assert 0.1 <= each.load_s <= 3_600
        assert 0.0 <= each.answer <= 1e6
        assert 0.1 <= each.bytes_per_token <= 1e5
        assert 1e-7 < each.token_s(concurrency) < 1e5
        for seconds in (each.prefill_s(size), each.decode_s(most, concurrency)):
            assert isfinite(seconds)
            assert seconds >= 0.0
    assert len(learned.news(10)) <= 1
    assert len(learned.known("h/a")[0].decode) <= 16


@given(ANY, ANY)
def test_one_odd_first_token_moves_a_rate_by_a_bounded_factor(ahead_s, took_s):
    one = rates()
    one.tell(Told("h/a", "m", READS))

    one.first_token(4_000, ahead_s, took_s, 0.0)

    assert READS / 3.2 <= one.prefill <= READS * 3.2
