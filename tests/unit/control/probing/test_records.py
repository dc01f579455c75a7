import pytest

from control.inventory import Health
from control.probing.records import KEPT, Records
from control.probing.samples import Finding, HealthSample

WELL = Finding(Health.HEALTHY, {"http_ok": True})
DOWN = Finding(Health.UNHEALTHY, {"http_ok": False}, "answers 500 at /health")


def taken(*findings, observed_time=1_700_000_000.0):
    records = Records()
    for n, one in enumerate(findings):
        records.take("h1/s", HealthSample(one, observed_time + n))
    return records


def test_who_is_not_probed_is_unknown():
    assert Records().health("h1/s") is Health.UNKNOWN
    assert Records().of("h1/s") is None


def test_the_last_samples_are_kept_with_numbers_of_their_own():
    record = taken(*[WELL] * 25).of("h1/s")

    assert len(record.samples) == KEPT
    assert record.samples[-1] == (1_700_000_024_000, record.last)
    assert len({number for number, _ in record.samples}) == KEPT


def test_what_is_found_again_and_again_is_held_once():
    record = taken(WELL, Finding(Health.HEALTHY, {"http_ok": True}), DOWN).of("h1/s")

    assert [one.finding for _, one in record.samples] == [WELL, WELL, DOWN]
    assert record.samples[1][1].finding is WELL


def test_numbers_grow_even_if_the_clock_is_set_back():
    records = taken(WELL)
    records.take("h1/s", HealthSample(WELL, 5.0))
    numbers = [number for number, _ in records.of("h1/s").samples]

    assert numbers == [1_700_000_000_000, 1_700_000_000_001]


def test_its_words_are_what_the_last_sample_that_was_so_says():
    record = taken(DOWN, DOWN, WELL).of("h1/s")

    assert record.words == "unhealthy by probe: answers 500 at /health"
    assert record.last.finding is WELL


def test_who_is_forgotten_begins_anew():
    records = taken(DOWN, DOWN)
    records.forget("h1/s")
    records.forget("h1/s")
    records.take("h1/s", HealthSample(DOWN, 0.0))

    assert (records.health("h1/s"), len(records)) == (Health.UNKNOWN, 1)


SILENT = HealthSample(Finding(Health.UNHEALTHY, {"http_ok": False}, "cannot be reached"), 0.0)
ANSWERS = HealthSample(WELL, 0.0, latency=0.001)
REFUSES = HealthSample(DOWN, 0.0, latency=0.001)


def rounds(services, sample, *, records, times=1, **fields):
    for _ in range(times):
        for n in range(services):
            records.take(f"h{n}/s", sample, **fields)


def unwell(records, services):
    return sum(records.health(f"h{n}/s") is Health.UNHEALTHY for n in range(services))


@pytest.mark.parametrize(
    ("silent", "of", "withdrawn"),
    [(1, 1, 1), (4, 4, 4), (5, 5, 0), (5, 10, 5), (6, 10, 0), (1_000, 1_000, 0)],
)
def test_when_most_are_silent_together_control_is_cut_off_and_none_is_unwell_for_it(
    silent, of, withdrawn
):
    """Else one broken path from control takes away what all gateways reach."""
    records = Records()
    rounds(of, ANSWERS, records=records, times=2)
    rounds(silent, SILENT, records=records, times=3)

    assert unwell(records, of) == withdrawn
    assert records.cut_off == (withdrawn == 0)
    assert records.of("h0/s").last == SILENT


def test_who_answers_badly_is_unwell_however_many_they_are():
    records = Records()
    rounds(10, ANSWERS, records=records, times=2)
    rounds(10, REFUSES, records=records, times=2)

    assert unwell(records, 10) == 10


def test_a_control_that_begins_cut_off_knows_nothing():
    records = Records()
    rounds(10, SILENT, records=records, times=5)

    assert {records.health(f"h{n}/s") for n in range(10)} == {Health.UNKNOWN}


def test_who_is_down_by_its_node_too_does_not_make_control_cut_off():
    records = Records()
    rounds(10, ANSWERS, records=records, times=2)
    rounds(9, SILENT, records=records, times=2, called_well=False)

    assert not records.cut_off
    assert unwell(records, 10) == 9


def test_after_it_was_cut_off_two_more_silent_probes_are_needed():
    records = Records()
    rounds(10, ANSWERS, records=records, times=2)
    rounds(10, SILENT, records=records, times=3)
    rounds(10, ANSWERS, records=records)
    records.take("h0/s", SILENT)
    once = records.health("h0/s")
    records.take("h0/s", SILENT)

    assert (once, records.health("h0/s")) == (Health.HEALTHY, Health.UNHEALTHY)


def test_who_was_unwell_before_stays_so():
    records = Records()
    rounds(10, ANSWERS, records=records, times=2)
    rounds(2, REFUSES, records=records, times=2)
    rounds(10, SILENT, records=records, times=3)

    assert unwell(records, 10) == 2


def test_who_is_forgotten_is_silent_no_more():
    records = Records()
    rounds(5, SILENT, records=records)
    records.forget("h0/s")

    assert not records.cut_off
