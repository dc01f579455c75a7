from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.benchmarks import records as records_module
from control.benchmarks.records import TrackRecords
from control.benchmarks.samples import KeptRun
from control.ranking import runs as runs_module
from control.ranking.benchmarks import NO_FINDINGS
from control.ranking.presets import LEGACY, SEED
from control.ranking.quality import Outcome, quality
from control.ranking.runs import Run, freshness
from tests.unit.control.builders import asset, service
from tests.unit.control.ranking.trials import found

DAY = 86_400.0
HALF_LIFE = SEED.benchmark.half_life
SERVICE = service("h/s", asset("m", digest="d1"), asset("n"))


class Records(TrackRecords):
    """Records by a clock that a test moves."""

    def __init__(self, *kept):
        self.time = 0.0
        super().__init__(lambda: self.time, kept)


def kept(benchmark_id="b", observed_at=0.0, share=0.9, service_id="h/s", **of):
    given = {"asset_id": "m", "workload": "w", "digest": ""} | of
    run = Run(observed_at=observed_at, outcome=Outcome(share), **given)
    return KeptRun(benchmark_id, service_id, run)


def qualities(records, of=SERVICE):
    return {
        asset_id: [one.quality for one in findings.found]
        for asset_id, findings in records.of(of).items()
    }


def good(share, age=0.0):
    return quality(Outcome(share), SEED.benchmark) * freshness(age, HALF_LIFE)


def test_of_services_without_runs_nothing_is_said():
    records = Records(kept(service_id="h/t"))

    assert not records.of(SERVICE)
    assert len(records) == 1


def test_runs_speak_for_their_asset_or_for_any_of_the_service():
    assert qualities(Records(kept())) == {"m": [good(0.9)]}
    assert qualities(Records(kept(asset_id=""))) == {"m": [good(0.9)], "n": [good(0.9)]}


def test_a_newer_run_of_the_service_counts_instead_of_one_of_the_asset():
    records = Records(kept("a"), kept("b", 60.0, 0.1, asset_id=""))
    records.time = 60.0

    assert qualities(records) == {"m": [good(0.1)], "n": [good(0.1)]}


def test_runs_of_other_weights_are_only_counted():
    records = Records(kept(asset_id="", digest="d0"))

    assert records.of(SERVICE)["m"].replaced == 1
    assert qualities(records) == {"m": [], "n": [good(0.9)]}
    # The model gets the weights that were tried.
    again = replace(SERVICE, assets=(asset("m", digest="d0"),))
    assert qualities(records, again) == {"m": [good(0.9)]}


def test_a_run_that_comes_again_moves():
    records = Records(kept(), kept("c", workload="x"))
    records.put(kept(service_id="h/t"))
    records.put(kept("c", share=0.2))

    assert qualities(records) == {"m": [good(0.2)]}
    assert len(records) == 2
    assert records.kept("b").service_id == "h/t"


def test_what_is_dropped_says_nothing_any_more():
    records = Records(kept("a"), kept("b", 60.0, 0.1))
    assert records.of(SERVICE)
    records.drop("b")
    records.drop("unknown")
    assert qualities(records) == {"m": [good(0.9)]}
    records.drop("a")

    assert not records.of(SERVICE)
    assert records.kept("a") is None


def test_services_that_change_are_told_once():
    records = Records(kept())
    assert records.take_changed() == {"h/s"}
    assert records.take_changed() == set()
    records.put(kept())
    assert records.take_changed() == set()
    records.put(kept(service_id="h/t"))
    assert records.take_changed() == {"h/s", "h/t"}


def test_time_changes_what_is_said_step_by_step():
    records = Records(kept())
    records.take_changed()
    records.of(SERVICE)
    records.time = HALF_LIFE / 4 - 1
    records.look()
    assert records.take_changed() == set()
    records.time += 1
    records.look()

    assert records.take_changed() == {"h/s"}
    assert qualities(records) == {"m": [good(0.9, HALF_LIFE / 4)]}


def test_who_asks_first_after_a_step_does_not_keep_it_from_others():
    records = Records(kept())
    records.take_changed()
    records.of(SERVICE)
    records.time = HALF_LIFE
    records.of(SERVICE)

    assert records.take_changed() == {"h/s"}


def test_what_faded_wholly_is_told_once_and_then_never():
    records = Records(kept())
    records.of(SERVICE)
    records.time = 10 * HALF_LIFE
    records.look()
    records.take_changed()
    assert not records.of(SERVICE)
    records.time = 100 * HALF_LIFE
    records.look()

    assert records.take_changed() == set()


def test_a_clock_that_is_set_back_makes_runs_count_again():
    records = Records(kept(observed_at=DAY))
    records.time = DAY + HALF_LIFE
    records.of(SERVICE)
    records.take_changed()
    records.time = DAY
    records.look()

    assert records.take_changed() == {"h/s"}
    assert qualities(records) == {"m": [good(0.9)]}


def test_other_rules_change_what_is_said():
    records = Records(kept("a"), kept("b", 60.0, 0.1))
    records.of(SERVICE)
    records.take_changed()
    records.rule(replace(SEED, role=LEGACY.role))
    assert records.take_changed() == set()
    records.rule(LEGACY)

    assert records.take_changed() == {"h/s"}
    assert qualities(records) == {"m": [quality(Outcome(0.9), LEGACY.benchmark)]}


def test_only_some_services_are_asked_anew_in_one_go(monkeypatch):
    monkeypatch.setattr(records_module, "MAX_FADED", 2)
    records = Records(*(kept(f"{n}", service_id=f"h/{n}") for n in range(5)))
    for n in range(5):
        records.of(service(f"h/{n}", asset("m")))
    records.take_changed()
    records.time = HALF_LIFE
    told = []
    for _ in range(4):
        records.look()
        told.append(len(records.take_changed()))

    assert told == [2, 2, 1, 0]


def test_only_the_newest_pairs_count(monkeypatch):
    monkeypatch.setattr(records_module, "MAX_PAIRS", 2)
    records = Records(*(kept(f"{n}", float(n), workload=f"w{n}") for n in range(4)))
    (findings,) = records.of(SERVICE).values()

    assert [one.workload for one in findings.found] == ["w3", "w2"]


@pytest.mark.parametrize(
    ("benchmark_id", "of", "weight"),
    [
        ("new", SERVICE, 0.5),
        ("old", SERVICE, 0.0),  # replaced by a newer run
        ("other", SERVICE, 0.0),  # of other weights
        ("any", SERVICE, 0.5),  # the other asset has no weights that are known
        ("new", None, 0.5),
        ("old", None, 0.0),
        ("gone", SERVICE, 0.0),
    ],
)
def test_the_weight_of_a_sample(benchmark_id, of, weight):
    records = Records(
        kept("new", 60.0),
        kept("old"),
        kept("other", 60.0, workload="x", digest="d0"),
        kept("any", 60.0, asset_id="", workload="y", digest="d0"),
    )
    records.time = HALF_LIFE + 60.0

    assert records.weight(benchmark_id, of) == weight


def test_by_legacy_all_samples_have_weight():
    records = Records(kept("new", 60.0), kept("old"))
    records.rule(LEGACY)

    assert records.weight("old", SERVICE) == 1.0


def test_weights_that_no_run_names_are_looked_at_once_however_many_they_are(monkeypatch):
    """Else a host with thousands of models would hold up everybody for seconds."""
    looks = []

    def collapsed(runs, digest, benchmark):
        looks.append(runs)
        return runs_module.collapsed(runs, digest, benchmark)

    monkeypatch.setattr(records_module, "collapsed", collapsed)
    assets = [asset(f"m{n}", digest=f"d{n}") for n in range(100)]
    records = Records(
        kept("a", asset_id=""), kept("b", asset_id="m1", workload="x"), kept("c", digest="d7")
    )
    for revision in range(3):
        again = [replace(one, digest=f"{one.digest}-{revision}") for one in assets]
        records.of(service("h/s", *again))
        records.weight("a", service("h/s", *again))

    assert len(looks) <= 4


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["", "m", "n", "o"]),
        st.sampled_from(["w", "x"]),
        st.integers(0, 3).map(lambda days: days * DAY),
        st.sampled_from(["", "d0", "d1"]),
        st.none() | st.floats(0, 1),  # None: the sample is dropped
    ),
    max_size=12,
)


@given(STEPS, st.sampled_from([SEED, LEGACY]), st.integers(0, 9))
def test_whatever_came_before_what_is_said_is_what_all_kept_runs_say(steps, scoring, days):
    of_all = replace(SERVICE, assets=(*SERVICE.assets, asset("o", digest="d9")))
    records, held = Records(), {}
    records.rule(scoring)
    for benchmark_id, asset_id, workload, observed_at, digest, share in steps:
        if share is None:
            records.drop(benchmark_id)
            held.pop(benchmark_id, None)
        else:
            of = {"asset_id": asset_id, "workload": workload, "digest": digest}
            one = kept(benchmark_id, observed_at, share, **of)
            records.put(one)
            held[benchmark_id] = one.run
        records.of(of_all)
    records.time = days * DAY
    expected = defaultdict(lambda: NO_FINDINGS)
    for each in of_all.assets:
        runs = [run for run in held.values() if run.asset_id in ("", each.asset_id)]
        expected[each.asset_id] = found(each, *runs, scoring=scoring, now=records.time)

    said = records.of(of_all)
    assert len(records) == len(held)
    for each in of_all.assets:
        assert said.get(each.asset_id, NO_FINDINGS) == expected[each.asset_id]
