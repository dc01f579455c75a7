import pytest

from bench.replay.engines import FLEETS, NEVER, Engine, Spec, capacity
from tests.unit.bench.replay.made import QUICK, request


def finish(engine):
    """Let an engine work until it is idle."""
    now = 0.0
    while (at := engine.next_event(now)) < NEVER:
        now = at
        engine.step(now)
    return now


def sent(engine, *requests):
    for one in requests:
        engine.take(one, one.at)
    finish(engine)
    return requests


def test_a_lone_request_is_read_and_then_written():
    (alone,) = sent(Engine(0, QUICK), request())

    assert alone.first == pytest.approx(1.0)
    assert alone.done == pytest.approx(2.0)


def test_prompts_are_read_one_after_the_other_and_slow_down_answers():
    one, other = sent(Engine(0, QUICK), request(0), request(1))

    assert (one.first, other.first) == (pytest.approx(1.0), pytest.approx(2.0))
    assert one.done == pytest.approx(2.0 + 5 * 1.5 / 10)  # half of it was written by then


def test_who_finds_no_slot_waits_for_one():
    one, _, third = sent(Engine(0, QUICK), request(0), request(1), request(2))

    assert third.first == pytest.approx(one.done + 1.0)


def test_a_known_prefix_is_not_read_again():
    first, second = sent(
        Engine(0, QUICK),
        request(0, prompt=1_100, blocks=(1, 2)),
        request(1, prompt=1_100, blocks=(1, 2, 3)),
    )

    assert (first.cached, second.cached) == (0, 1_024)


def test_a_prefix_that_was_not_used_for_long_is_forgotten():
    engine = Engine(0, QUICK)
    asked = [
        request(one, prompt=3_000, blocks=tuple(range(9 * one, 9 * one + 5))) for one in (0, 1)
    ]
    again = request(2, prompt=3_000, blocks=asked[0].blocks)

    sent(engine, *asked, again)

    assert again.cached == 3 * 512  # of 5, for 8 in all


def test_a_load_waits_until_nobody_uses_what_it_takes_the_place_of():
    spec = Spec("one", 2, 1_000, 10, 0.5, 8, models=1, load_s=5)
    first, other = sent(Engine(0, spec), request(0, model=0), request(1, model=1))

    assert first.cold
    assert first.first == pytest.approx(6.0)
    assert other.cold
    assert other.first == pytest.approx(first.done + 5 + 1)


def test_two_models_fit_where_there_is_room_for_two():
    spec = Spec("two", 2, 1_000, 10, 0.5, 8, models=2, load_s=5)
    engine = Engine(0, spec)

    sent(engine, request(0, model=0), request(1, model=1))

    assert engine.resident == (0, 1)


def test_a_fleet_completes_what_its_engines_complete_together():
    fast, *_ = FLEETS["A"]

    assert capacity([fast, fast], 1_000, 100) == pytest.approx(2 * capacity([fast], 1_000, 100))
    assert capacity([QUICK], 980, 100) == pytest.approx(1 / (100 / QUICK.full_rate + 0.5))
    assert capacity([QUICK], 98_000, 1) == pytest.approx(1 / 98.02, rel=1e-3)
