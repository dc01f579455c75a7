"""What one gateway measured all others start with, and no more of it is kept than is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control import speeds as module
from control.ranking.speed import Speed
from control.speeds import MAX_GATEWAYS, MAX_TOLD, Speeds

KEY = ("h/s", "m")
FAST, SLOW = Speed(prefill=2_000.0, samples=10), Speed(prefill=500.0, samples=10)


class Scene:
    """Speeds on a clock that a test moves, of services that it names."""

    def __init__(self):
        self.now = 0.0
        self.services = {"h/s"}
        self.speeds = Speeds(lambda: self.now)

    def tell(self, gateway, *told):
        self.speeds.tell(gateway, told, lambda one: one if one in self.services else None)

    def news(self, version=0):
        return dict(self.speeds.since(version)[1])


@pytest.fixture
def scene():
    return Scene()


def test_the_newest_word_of_each_gateway_counts(scene):
    scene.tell("one", (KEY, FAST))
    scene.tell("one", (KEY, SLOW))

    assert scene.speeds.of("h/s") == {"m": SLOW}
    scene.tell("two", (KEY, FAST))
    assert scene.speeds.of("h/s")["m"].prefill == 1_250.0


def test_a_gateway_that_begins_anew_takes_back_nothing_of_what_it_measured(scene):
    """It measures the same again soon, but how long a model takes to be loaded seldom."""
    scene.tell("one", (KEY, Speed(prefill=2_000.0, load_s=60.0, samples=900)))
    scene.tell("one", (KEY, Speed(prefill=1_000.0, samples=1)))

    assert scene.speeds.of("h/s") == {"m": Speed(prefill=1_000.0, load_s=60.0, samples=1)}
    assert scene.news()[KEY].load_s == 60.0


def test_who_watches_hears_of_each_change_once(scene):
    scene.tell("one", (KEY, FAST))
    version, first = scene.speeds.since(0)
    scene.tell("one", (("h/s", "other"), SLOW))
    later, second = scene.speeds.since(version)

    assert (dict(first), dict(second)) == ({KEY: FAST}, {("h/s", "other"): SLOW})
    assert scene.speeds.since(later) == (later, [])


def test_noise_is_told_to_nobody_and_a_slow_drift_is(scene):
    scene.tell("one", (KEY, FAST))
    version, _ = scene.speeds.since(0)
    scene.tell("one", (KEY, Speed(prefill=2_080.0, samples=11)))
    assert not scene.news(version)
    scene.tell("one", (KEY, Speed(prefill=2_120.0, samples=12)))

    assert scene.news(version)[KEY].prefill == 2_120.0


def test_much_news_comes_in_parts_that_hold_it_all(scene):
    scene.tell("one", *[(("h/s", f"m{number}"), FAST) for number in range(2 * MAX_TOLD + 1)])
    version, told = 0, {}
    for expected in (MAX_TOLD, MAX_TOLD, 1, 0):
        version, part = scene.speeds.since(version)
        assert len(part) == expected
        told.update(part)

    assert len(told) == len(scene.speeds) == 2 * MAX_TOLD + 1


def test_no_more_than_the_bound_is_known(scene, monkeypatch):
    monkeypatch.setattr(module, "MAX_KNOWN", 3)
    scene.tell("one", *[((f"h/{number}", "m"), FAST) for number in range(9)])

    assert len(scene.speeds) == len(scene.news()) == 3
    scene.tell("one", (("h/0", "m"), SLOW))
    assert scene.speeds.of("h/0") == {"m": SLOW}


def test_gateways_that_come_and_go_with_new_names_leave_no_more_than_the_bound(scene):
    for number in range(5 * MAX_GATEWAYS):
        scene.tell(f"gateway-{number}", (KEY, SLOW))

    assert scene.speeds.of("h/s")["m"].samples == MAX_GATEWAYS * SLOW.samples


def test_the_word_of_a_gateway_that_left_ends_an_hour_after_it_when_another_one_speaks(scene):
    scene.tell("gone", (KEY, FAST))
    scene.now = 3_599.0
    scene.tell("here", (KEY, SLOW))
    assert scene.speeds.of("h/s")["m"].samples == 20
    scene.now = 3_601.0
    scene.tell("here", (KEY, SLOW))

    assert scene.speeds.of("h/s") == {"m": SLOW}


def test_a_service_that_left_is_forgotten_a_while_later(scene):
    scene.tell("one", (KEY, FAST), (("h/t", "m"), FAST))
    scene.now = 500.0
    scene.tell("one")
    assert scene.speeds.of("h/t") == {"m": FAST}  # control may have started just now
    scene.now = 601.0
    scene.tell("one")

    assert scene.speeds.of("h/t") == {}
    assert scene.news() == {KEY: FAST}


def test_a_word_that_says_nothing_is_not_kept(scene):
    scene.tell("one", (KEY, Speed(samples=3)))

    assert not scene.news()


def test_who_is_new_is_believed_to_be_as_fast_as_the_best_with_the_same_asset(scene):
    assert scene.speeds.believed("h/new", "m") is None
    scene.tell("one", (KEY, SLOW), (("h/t", "m"), FAST))
    assert scene.speeds.believed("h/new", "m").prefill == FAST.prefill
    assert scene.speeds.believed("h/s", "m").prefill == SLOW.prefill
    assert scene.speeds.believed("h/new", "other") is None

    scene.now = 601.0
    scene.tell("one")  # h/t has left
    assert scene.speeds.believed("h/new", "m").prefill == SLOW.prefill


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("stu"), st.integers(1, 9))))
def test_whatever_is_told_every_view_of_it_agrees(steps):
    scene, version, heard = Scene(), 0, {}
    for gateway, name, factor in steps:
        scene.now += 100.0
        scene.tell(gateway, ((f"h/{name}", "m"), Speed(prefill=100.0 * factor, samples=1)))
        version, news = scene.speeds.since(version)
        heard.update(news)

    current = scene.news()
    assert {key: heard[key] for key in current} == current
    assert len(scene.speeds) == len(current)
    for service_id, _ in current:
        found = scene.speeds.of(service_id)["m"].prefill
        assert abs(found - current[service_id, "m"].prefill) <= 0.05 * found + 1e-6
