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
