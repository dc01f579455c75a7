from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control import evidence as module
from control.evidence import HALF_LIFE_S, SLICE, SMOOTHING_S, Evidence
from control.inventory import Availability, Health, Observation
from control.measured import Counts
from control.ranking.subject import UNSEEN, Signals
from tests.unit.control.builders import asset, offer

NAME = "h1/s"
UNTOLD = Observation(Health.HEALTHY)
STREAMS = Counts({"first_byte/40": 10, "decoded_tokens": 400, "decode_us": 10_000_000})


def told(latency=None, speed=None):
    return offer(
        NAME, seen=Observation(Health.HEALTHY, latency_p50=latency, tokens_per_second=speed)
    )


def known(evidence, name=NAME):
    return evidence.signals(name, UNTOLD)


@pytest.fixture
def evidence():
    return Evidence()


def test_of_an_unknown_service_only_its_availability_is_known(evidence):
    seen = Observation(availability=Availability.BUSY, latency_p50=1.0)

    assert evidence.signals("h9/s", UNTOLD) == UNSEEN
    assert evidence.signals("h9/s", seen) == Signals(availability=Availability.BUSY)


def test_what_a_node_tells_counts_at_once(evidence):
    evidence.see(told(0.5, 40.0), 0.0)

    assert known(evidence) == Signals(0.5, 40.0)
    assert evidence.take_changed() == {NAME}
    assert evidence.take_changed() == set()


def test_what_gateways_measured_counts_where_a_node_tells_nothing(evidence):
    evidence.see(told(speed=7.0), 0.0)
    evidence.take_changed()
    evidence.add(NAME, STREAMS, 1.0)
    assert known(evidence).latency_p50 is None

    evidence.look(1.25)

    assert known(evidence).latency_p50 == pytest.approx(1.0, rel=0.1)
    assert known(evidence).tokens_per_second == 7.0
    assert evidence.take_changed() == {NAME}


def test_what_was_measured_counts_again_when_a_node_tells_nothing_any_more(evidence):
    evidence.see(told(speed=7.0), 0.0)
    evidence.add(NAME, STREAMS, 0.0)
    evidence.look(0.0)
    evidence.see(told(), HALF_LIFE_S - 1)
    evidence.look(HALF_LIFE_S - 1)
    assert known(evidence).tokens_per_second == 7.0

    evidence.add(NAME, STREAMS, HALF_LIFE_S)
    evidence.look(HALF_LIFE_S)

    assert known(evidence).tokens_per_second == 40.0


def test_an_engine_that_had_nothing_to_do_is_as_fast_as_it_was(evidence):
    """Its node tells nothing then; a table that followed would change at each pause."""
    evidence.see(told(0.5, 40.0), 0.0)
    evidence.take_changed()
    for moment in range(5, 500, 5):
        evidence.see(told() if moment % 10 else told(0.51, 41.0), float(moment))
        evidence.look(float(moment))

    assert known(evidence) == Signals(0.5, 40.0)
    assert evidence.take_changed() == set()


def test_what_moves_at_each_beat_counts_by_what_lasts(evidence):
    """Between bands, or the table would change at each beat of a busy fleet."""
    random = Random(1)
    evidence.see(told(0.5, 40.0), 0.0)
    evidence.take_changed()
    changes = 0
    for beat in range(1, 1_000):
        evidence.see(told(random.uniform(0.3, 0.7), random.uniform(30, 50)), 5.0 * beat)
        changes += bool(evidence.take_changed())
    assert changes < 20

    evidence.see(told(0.45, 40.0), 10_000.0)
    assert known(evidence).latency_p50 == pytest.approx(0.45, rel=0.1)


def test_what_is_twice_as_much_or_half_counts_at_once(evidence):
    for latency in (1.0, 2.1, 1.0, 0.4, 0.0, 5.0):
        evidence.see(told(latency), 0.0)

        assert known(evidence).latency_p50 == latency


def test_what_a_node_told_is_unknown_in_the_end_and_that_is_a_change(evidence):
    evidence.see(told(0.5, 40.0), 0.0)
    evidence.take_changed()
    evidence.look(HALF_LIFE_S)

    assert known(evidence) == UNSEEN
    assert evidence.take_changed() == {NAME}


def test_the_time_to_the_first_token_counts_before_that_to_whole_answers(evidence):
    both = Observation(Health.HEALTHY, latency_p50=8.0, first_token_p50=0.3)
    evidence.see(offer(NAME, seen=both), 0.0)
    assert known(evidence).latency_p50 == 0.3

    evidence.see(told(7.0), 5.0)

    assert known(evidence).latency_p50 == 0.3


def test_measurements_of_an_unknown_service_leave_nothing_behind(evidence):
    evidence.add(NAME, STREAMS, 0.0)
    evidence.see(told(), 0.0)
    evidence.look(0.0)

    assert known(evidence) == UNSEEN


def test_old_evidence_fades_to_unknown_and_that_is_a_change(evidence):
    evidence.see(told(), 0.0)
    evidence.add(NAME, STREAMS, 0.0)
    evidence.look(0.0)
    evidence.take_changed()
    evidence.look(4.3 * HALF_LIFE_S)  # 10 answers weigh half of one after 4.32 half-lives
    assert evidence.take_changed() == set()

    evidence.look(4.4 * HALF_LIFE_S)

    assert known(evidence) == UNSEEN
    assert evidence.take_changed() == {NAME}


def test_noise_at_the_edge_of_a_band_changes_nothing(evidence):
    evidence.see(told(0.5, 20.0), 0.0)
    evidence.take_changed()
    for beat, share in enumerate([0.95, 1.05, 0.901, 1.099] * 25):
        evidence.see(told(0.5 * share, 20.0 * share), float(beat))

    assert evidence.take_changed() == set()
    assert known(evidence) == Signals(0.5, 20.0)


def test_a_slow_drift_counts_in_the_end(evidence):
    evidence.see(told(1.0), 0.0)
    for percent in range(1, 31):
        evidence.see(told(1.0 + percent / 100), percent * SMOOTHING_S)

    assert known(evidence).latency_p50 == pytest.approx(1.3, rel=0.1)


@pytest.mark.parametrize(("before", "after"), [(0.0, 1e-9), (None, 0.0), (0.0, None)])
def test_from_nothing_and_to_nothing_everything_is_a_change(evidence, before, after):
    evidence.see(told(before, before), 0.0)
    evidence.take_changed()
    evidence.see(told(after, after), HALF_LIFE_S)
    evidence.look(HALF_LIFE_S)

    assert known(evidence) == Signals(after, after)
    assert evidence.take_changed() == {NAME}


def test_a_service_that_is_gone_is_forgotten(evidence):
    evidence.see(told(1.0), 0.0)
    evidence.add(NAME, STREAMS, 0.0)
    evidence.forget(NAME)
    evidence.look(0.0)

    assert known(evidence) == UNSEEN


def test_other_weights_begin_without_evidence(evidence):
    evidence.see(offer(NAME, asset("m", digest="sha256:1"), asset("n")), 0.0)
    evidence.add(NAME, STREAMS, 0.0)
    evidence.look(0.0)
    evidence.see(offer(NAME, asset("m", digest="sha256:1", loaded=True)), 1.0)
    evidence.look(1.0)
    assert known(evidence).latency_p50 is not None

    evidence.see(offer(NAME, asset("m", digest="sha256:2")), 2.0)
    evidence.look(2.0)

    assert known(evidence) == UNSEEN


def test_what_a_node_told_of_other_weights_is_forgotten(evidence):
    seen = told(0.5, 40.0).observation
    evidence.see(offer(NAME, asset("m", digest="sha256:1"), seen=seen), 0.0)
    evidence.see(offer(NAME, asset("m", digest="sha256:2")), 1.0)
    evidence.look(1.0)

    assert known(evidence) == UNSEEN


def test_a_look_is_bounded_and_all_services_have_their_turn(evidence):
    names = [f"h1/{n}" for n in range(3 * SLICE)]
    for name in names:
        evidence.see(offer(name), 0.0)
        evidence.add(name, STREAMS, 0.0)
    evidence.look(0.0)
    found = evidence.take_changed()
    assert SLICE <= len(found) <= 2 * SLICE  # some of what is new, some of what may fade

    for _ in range(2):
        evidence.look(0.0)
    assert found | evidence.take_changed() == set(names)
    later = 10 * HALF_LIFE_S
    for _ in range(6):
        evidence.look(later)
    assert evidence.take_changed() == set(names)
    assert all(known(evidence, name) == UNSEEN for name in names)


def test_what_is_more_than_can_be_kept_is_unknown(monkeypatch):
    monkeypatch.setattr(module, "MAX_SHOWN", 2)
    evidence = Evidence()
    for name in ("h1/a", "h1/b", "h1/c"):
        evidence.see(offer(name, seen=told(1.0).observation), 0.0)
    assert known(evidence, "h1/c") == UNSEEN

    evidence.forget("h1/a")
    evidence.see(offer("h1/c", seen=told(1.0).observation), 5.0)
    assert known(evidence, "h1/c") == Signals(1.0)


@given(st.lists(st.one_of(st.none(), st.floats(0, 86_400)), max_size=30))
def test_what_counts_is_never_further_from_the_truth_than_noise(values):
    """And a change is told exactly when there is one. Each value is told for long enough."""
    evidence = Evidence()
    for place, value in enumerate(values):
        before = known(evidence)
        evidence.see(told(value), place * 50 * SMOOTHING_S)
        after = known(evidence)

        assert evidence.take_changed() == ({NAME} if after != before else set())
        if value is None:
            assert after == before
        else:
            assert abs(after.latency_p50 - value) <= 0.1 * after.latency_p50
