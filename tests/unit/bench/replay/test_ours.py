"""Our gateways in the simulated world: what decides is what real gateways run."""

import pytest

from bench.replay.engines import FLEETS, Spec
from bench.replay.figures import figures
from bench.replay.ours import Ours
from bench.replay.published import POLICIES
from bench.replay.workload import workload
from bench.replay.world import World
from bench.replay.wrong import WHAT, Wrong
from control.api.strategies import Strategy
from tests.unit.bench.replay.made import QUICK, conversation, request


def replayed(made, *, fleet="A", load=0.8, count=100, seed=1, **more):
    requests = workload(conversation(), FLEETS[fleet], load, count, seed)
    world = World(FLEETS[fleet], requests, made, seed=seed, **more)
    world.run()
    return world, figures(requests, len(FLEETS[fleet]))


@pytest.mark.parametrize("room", [True, False], ids=["room", "direct"])
@pytest.mark.parametrize("strategy", Strategy)
def test_every_strategy_answers_all_and_leaves_nothing_behind(strategy, room):
    world, found = replayed(Ours(strategy, room).gateway)

    assert found.refused == 0
    assert all(one.at <= one.sent < one.first < one.done for one in world.requests)
    for gateway in world.gateways:
        assert gateway.waiting == 0
        assert [(one.in_flight, one.pending) for one in gateway.loads] == [(0, 0.0)] * 3
    assert sum(map(sum, world.in_flight)) == 0
    assert sum(map(sum, world.reading_s)) == pytest.approx(0)


def test_a_replay_comes_out_the_same_again():
    assert replayed(Ours().gateway)[1] == replayed(Ours().gateway)[1]


def test_with_the_room_nobody_waits_inside_of_an_engine():
    most = []

    class Watched(World):
        def send(self, request, engine):
            super().send(request, engine)
            most.append(len(self.engines[engine].queue))

    requests = workload(conversation(), FLEETS["A"], 0.8, 300, 1, gateways=1)
    Watched(FLEETS["A"], requests, Ours().gateway, gateways=1, age_s=0).run()

    assert max(most) == 0


def test_the_room_and_expected_completion_do_better_than_any_published_rule_here():
    ours = replayed(Ours().gateway, count=200)[1].goodput
    peers = {name: replayed(made, count=200)[1].goodput for name, made in POLICIES.items()}

    assert ours >= max(peers.values())


def test_who_waits_in_a_room_that_is_full_is_refused():
    requests = [request(number, at=1 + number / 1_000) for number in range(9)]

    World([QUICK], requests, Ours(limit=2).gateway, gateways=1).run()

    assert [one.refused for one in requests] == [False] * 3 + [True] * 6
    assert figures(requests, 1).refused == pytest.approx(6 / 9)


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_wrong_beliefs_lose_nobody(what, factor):
    _, found = replayed(Ours(wrong=Wrong(what, factor)).gateway, load=0.3)

    assert found.refused == 0


def test_slots_that_no_node_tells_are_learned():
    world, _ = replayed(Ours(reported=False).gateway, load=3.0, count=200)

    for gateway in world.gateways:
        for believed, engine in zip(gateway.loads, world.fleet, strict=True):
            assert engine.slots / 2 <= believed.slots <= engine.slots * 2


def test_models_that_take_turns_in_memory_are_loaded_a_few_times():
    world, found = replayed(Ours().gateway, fleet="C", load=0.3, count=60)

    assert found.refused == 0
    assert found.cold < 0.2
    assert all(one.done for one in world.requests)


def test_without_the_room_an_engine_drops_models_as_requests_come():
    spec = Spec("one", 2, 1_000, 10, 0.5, 8, models=1, load_s=5)

    def loads(room):
        requests = [request(number, at=1 + number / 10, model=number % 2) for number in range(20)]
        World([spec], requests, Ours(room=room).gateway, gateways=1).run()
        return sum(one.cold for one in requests)

    assert loads(False) > 10
    assert loads(True) < 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speed:2", "'speed' is none of prefill, decode, answer, slots, skew"),
        ("prefill", "'' is no factor from 0.01 to 100, as in prefill:2"),
        ("prefill:x", "'x' is no factor from 0.01 to 100, as in prefill:2"),
        ("prefill:nan", "'nan' is no factor"),
        ("prefill:0", "'0' is no factor"),
        ("prefill:1e9", "'1e9' is no factor"),
    ],
)
def test_a_belief_that_is_none_is_told(text, said):
    with pytest.raises(ValueError, match=said):
        Wrong.parse(text)


def test_a_belief_is_read():
    assert Wrong.parse("skew:0.5") == Wrong("skew", 0.5)
