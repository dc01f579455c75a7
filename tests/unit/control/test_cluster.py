import asyncio
import math
import time
from dataclasses import replace

import pytest

from control import cluster as cluster_module
from control.api.errors import HostIdInUse, StorageUnavailable
from control.benchmarks.samples import KeptRun
from control.cluster import Cluster
from control.evidence import HALF_LIFE_S
from control.inventory import Availability, Health, HostState, Observation
from control.keeper import Keeper
from control.measured import Counts
from control.membership import Membership
from control.pace import Rhythm, return_time
from control.probing.samples import Finding, HealthSample
from control.publisher import COALESCE_S, Publisher
from control.ranking.offering import Rules
from control.ranking.presets import LEGACY
from control.ranking.quality import Outcome
from control.ranking.runs import Run
from control.ranking.subject import UNSEEN, Signals
from control.settling import MOMENT_S
from control.table.compile import Compiler
from control.table.watch import Hub
from tests.unit.control.builders import HEALTHY, beat, host, offer, service
from tests.unit.control.clock import Clock

pytestmark = pytest.mark.anyio

GRACE_S = 30.0


class Scene:
    """A cluster without a disk: what it should keep is only noted."""

    def __init__(self, expected=()):
        self.clock = Clock()
        self.membership = Membership(Rhythm(interval=1.0), jitter=lambda: 0.0)
        for host_id in expected:
            self.membership.restore(host(host_id), 1, [service(f"{host_id}/s")], heard=0.0)
        self.keeper = Keeper(self.membership, writer=None, wall_time=self.clock.wall_time)
        self.keeper.kept = _at_once
        self.hub = Hub("store", "life", settled=False)
        publisher = Publisher(self.membership, Compiler(), self.hub, self.clock)
        self.gateway_silence = 0.0
        self.told = []
        self.cluster = Cluster(
            self.membership,
            self.keeper,
            publisher,
            self.clock,
            GRACE_S,
            lambda: self.gateway_silence,
            follow=lambda names: self.told.extend(names),
        )

    async def join(self, host_id="h1"):
        lease, _ = await self.cluster.register(host(host_id), "i", [offer(f"{host_id}/s")])
        return lease


async def _at_once():
    return True


async def _never():
    return False


async def test_a_removal_that_is_not_durable_is_not_acknowledged():
    """After a crash control would list the host again; whoever removed it must know."""
    scene = Scene()
    await scene.join()
    scene.keeper.kept = _never

    with pytest.raises(StorageUnavailable, match="will be listed again"):
        await scene.cluster.deregister("h1", None)
    assert scene.membership.members == {}


@pytest.fixture
async def keeping_time(monkeypatch):
    """Let sweeps follow each other at once; a test moves the clock itself."""
    monkeypatch.setattr(cluster_module, "SWEEP_S", 0.0)
    tasks = []

    async def start(scene):
        tasks.append(asyncio.ensure_future(scene.cluster.keep_time()))
        await sweeps()

    yield start
    for task in tasks:
        task.cancel()


async def sweeps():
    for _ in range(5):
        await asyncio.sleep(0)


async def pass_time(scene, seconds):
    """Let time pass in steps that a running control would see."""
    for _ in range(int(seconds / 0.5)):
        scene.clock.now += 0.5
        await sweeps()


async def test_an_empty_cluster_is_settled_only_after_the_grace_period():
    scene = Scene()
    await scene.join()

    assert not scene.cluster.settled
    scene.clock.now += GRACE_S
    assert scene.cluster.settled


RETURN_S = MOMENT_S + return_time(Rhythm(interval=1.0), 2)


async def test_a_cluster_is_settled_when_all_expected_hosts_are_back():
    scene = Scene(expected=["h1", "h2"])
    scene.clock.now += RETURN_S
    await scene.join("h1")
    assert not scene.cluster.settled
    await scene.join("h2")

    assert scene.cluster.settled


async def test_expected_hosts_that_were_removed_are_not_waited_for():
    scene = Scene(expected=["h1"])
    scene.clock.now += RETURN_S
    await scene.cluster.deregister("h1", None)

    assert scene.cluster.settled


async def test_a_registration_is_acknowledged_although_the_disk_does_not_take_it():
    scene = Scene()
    scene.keeper.kept = _never
    lease = await scene.join()

    scene.cluster.beat(beat(lease, 1))
    assert scene.membership.online == 1


async def test_hosts_that_the_disk_did_not_take_have_time_to_come_back(keeping_time):
    """Gateways may still serve from them, and absence must not take that away."""
    scene = Scene(expected=["h1"])
    await keeping_time(scene)
    await scene.join("h1")
    await pass_time(scene, 3.0)
    assert not scene.cluster.settled
    assert not scene.hub.settled
    await scene.join("h2")
    await pass_time(scene, 2.0)

    assert scene.cluster.settled


async def test_a_silent_host_is_spared_as_long_as_gateways_are_silent_too(keeping_time):
    """Few hosts are no majority, but without gateways it is control that is cut off."""
    scene = Scene()
    await scene.join()
    await keeping_time(scene)
    scene.gateway_silence = 60.0
    await pass_time(scene, 10.0)
    assert scene.cluster.spared == 1
    scene.gateway_silence = 0.1
    await pass_time(scene, 2.0)
    assert scene.membership.members["h1"].state is HostState.ONLINE
    await pass_time(scene, 2.0)

    assert scene.membership.members["h1"].state is HostState.LOST


async def test_a_silent_host_is_lost(keeping_time):
    scene = Scene()
    await scene.join()
    await keeping_time(scene)
    await pass_time(scene, 3.5)

    assert scene.membership.members["h1"].state is HostState.LOST


async def test_a_beating_host_is_not(keeping_time):
    scene = Scene()
    lease = await scene.join()
    await keeping_time(scene)
    for sequence in range(1, 10):
        await pass_time(scene, 2.5)
        scene.cluster.beat(beat(lease, sequence))

    assert scene.membership.members["h1"].state is HostState.ONLINE


async def test_a_host_that_does_not_come_back_is_lost_after_the_grace_period(keeping_time):
    scene = Scene(expected=["h1"])
    await keeping_time(scene)
    await pass_time(scene, GRACE_S - 1)
    assert scene.membership.members["h1"].state is HostState.RETURNING
    await pass_time(scene, 2)

    assert scene.membership.members["h1"].state is HostState.LOST


async def test_nobody_is_lost_because_control_itself_stood_still(keeping_time, caplog):
    scene = Scene()
    lease = await scene.join()
    await keeping_time(scene)
    scene.clock.now += 60.0
    await sweeps()

    assert "control did not run for 60.0 s" in caplog.text
    scene.cluster.beat(beat(lease, 1))


async def test_hosts_have_their_time_to_come_back_although_control_stood_still(keeping_time):
    scene = Scene(expected=["h1"])
    await keeping_time(scene)
    scene.clock.now += GRACE_S + 30.0
    await sweeps()
    assert scene.membership.members["h1"].state is HostState.RETURNING
    assert not scene.cluster.settled
    await pass_time(scene, GRACE_S + 1.0)

    assert scene.membership.members["h1"].state is HostState.LOST
    assert scene.cluster.settled


async def test_many_that_fall_silent_together_stay_routed_to_and_that_is_said_once(
    keeping_time, caplog
):
    scene = Scene()
    for n in range(5):
        await scene.join(f"h{n}")
    await keeping_time(scene)
    await pass_time(scene, 20)

    assert scene.membership.online == 5
    assert caplog.text.count("went silent together") == 1


async def test_a_large_fleet_has_longer_to_come_back():
    scene = Scene(expected=[f"h{n}" for n in range(10_000)])
    scene.clock.now += 60.0

    assert not scene.cluster.settled
    scene.clock.now += 20.0
    assert scene.cluster.settled


async def test_after_a_standstill_no_other_instance_takes_a_host_over(keeping_time):
    """Whatever runs first when control runs again must know that it was away."""
    scene = Scene()
    await keeping_time(scene)
    lease = await scene.join()
    scene.clock.now += 60.0
    with pytest.raises(HostIdInUse):
        await scene.cluster.register(host("h1"), "other", [])
    await sweeps()

    scene.cluster.beat(beat(lease, 1))
    assert scene.membership.members["h1"].state is HostState.ONLINE


async def test_a_service_that_flaps_is_said_once_to_be_held_back_and_once_that_it_is_not(
    keeping_time, caplog
):
    caplog.set_level("INFO")
    scene = Scene()
    lease = await scene.join()
    await keeping_time(scene)
    for sequence in range(1, 11):
        seen = HEALTHY if sequence % 2 == 0 else Observation(Health.UNHEALTHY)
        scene.cluster.beat(beat(lease, sequence, ("h1/s", seen, None)))
        await pass_time(scene, 1.0)
    assert caplog.text.count("h1/s comes and goes") == 1
    for sequence in range(11, 80):
        scene.cluster.beat(beat(lease, sequence, ("h1/s", HEALTHY, None)))
        await pass_time(scene, 1.0)

    assert caplog.text.count("h1/s has been quiet") == 1
    assert scene.hub.table["target/chat/m"].body.candidates


async def test_what_a_node_tells_of_speed_is_known_before_routes_are_made():
    scene = Scene()
    seen = replace(HEALTHY, latency_p50=0.4, tokens_per_second=math.nan)
    await scene.cluster.register(host("h1"), "i", [offer("h1/s", seen=seen)])

    assert scene.cluster.evidence.signals("h1/s", HEALTHY) == Signals(0.4)


async def test_a_beat_takes_what_it_tells_along(scene_with_notes):
    scene, noted = scene_with_notes
    lease = await scene.join()
    noted.clear()
    scene.cluster.beat(beat(lease, 1, ("h1/s", replace(HEALTHY, tokens_per_second=9.0), None)))
    assert noted == {"h1/s"}

    noted.clear()
    scene.cluster.beat(beat(lease, 2, ("h1/s", replace(HEALTHY, tokens_per_second=9.5), None)))
    assert noted == set()


async def test_what_gateways_measure_reaches_routes_and_fades(scene_with_notes, keeping_time):
    scene, noted = scene_with_notes
    lease = await scene.join()
    noted.clear()
    scene.cluster.measured("h1/s", Counts({"first_byte/40": 1}))
    assert noted == set()

    await keeping_time(scene)
    assert noted == {"h1/s"}
    assert scene.cluster.evidence.signals("h1/s", HEALTHY).latency_p50 is not None

    noted.clear()
    scene.clock.now += 2 * HALF_LIFE_S
    scene.cluster.beat(beat(lease, 1, ("h1/s", HEALTHY, None)))
    await sweeps()
    assert noted == {"h1/s"}
    assert scene.cluster.evidence.signals("h1/s", HEALTHY) == UNSEEN


async def test_what_benchmarks_found_reaches_routes_and_is_judged_by_the_rules(
    scene_with_notes, keeping_time
):
    scene, noted = scene_with_notes
    await scene.join()
    noted.clear()
    run = Run("", "chat.a", time.time(), "", Outcome(right=1.0))
    scene.cluster.evidence.records.put(KeptRun("b", "h1/s", run))
    assert noted == set()

    await keeping_time(scene)
    assert noted == {"h1/s"}
    found = scene.cluster.evidence.subject(host("h1"), offer("h1/s"))
    assert [one.count for one in found.findings["m"].found] == [1]

    noted.clear()
    scene.cluster.rule(Rules())
    assert noted == set()
    scene.cluster.rule(Rules(scoring=LEGACY))
    assert noted == {"h1/s"}


async def test_a_service_that_is_withdrawn_is_forgotten_and_one_of_a_lost_host_is_not(
    keeping_time,
):
    scene = Scene()
    told = replace(HEALTHY, latency_p50=0.4)
    offers = [offer("h1/s", seen=told), offer("h1/t", seen=told)]
    lease, _ = await scene.cluster.register(host("h1"), "i", offers)
    scene.cluster.beat(beat(lease, 1, ("h1/t", told, None)))
    assert scene.cluster.evidence.signals("h1/s", HEALTHY) == UNSEEN

    await keeping_time(scene)
    scene.clock.now += 60.0
    await sweeps()
    assert scene.cluster.evidence.signals("h1/t", HEALTHY) == Signals(0.4)


async def test_a_drained_service_is_published_again_and_is_no_fall(scene_with_notes):
    scene, noted = scene_with_notes
    lease = await scene.join()
    for sequence, availability in enumerate([Availability.DRAINING, Availability.AVAILABLE] * 5, 1):
        noted.clear()
        seen = replace(HEALTHY, availability=availability)
        scene.cluster.beat(beat(lease, sequence, ("h1/s", seen, None)))
        assert noted == {"h1/s"}
        scene.clock.now += 0.5

    assert not scene.membership.flaps.holds("h1/s")


@pytest.fixture
def scene_with_notes(monkeypatch):
    """A scene, and the services that the publisher was told of."""
    scene, noted = Scene(), set()
    monkeypatch.setattr(
        Publisher, "note", lambda self, service_ids, *, settled: noted.update(service_ids)
    )
    return scene, noted


async def test_what_probes_find_reaches_routes_and_who_follows_is_told():
    scene = Scene()
    await scene.join()
    asked = scene.membership.offer("h1/s")[1].service
    scene.told.clear()
    down = HealthSample(Finding(Health.UNHEALTHY, {"http_ok": False}), 0.0)
    scene.cluster.probed(asked, down)
    scene.cluster.probed(asked, down)
    assert scene.told == ["h1/s"]
    await asyncio.sleep(2 * COALESCE_S)
    assert scene.hub.table["target/chat/m"].body.candidates == ()
    scene.cluster.unprobed("h1/s")
    await asyncio.sleep(2 * COALESCE_S)

    assert [one.service_id for one in scene.hub.table["target/chat/m"].body.candidates] == ["h1/s"]


async def test_a_control_that_reaches_no_service_says_so_once_and_withdraws_none(
    keeping_time, caplog
):
    scene = Scene()
    for n in range(6):
        await scene.join(f"h{n}")
    await keeping_time(scene)
    silent = HealthSample(Finding(Health.UNHEALTHY, {"http_ok": False}), 0.0)
    answers = HealthSample(Finding(Health.HEALTHY, {"http_ok": True}), 0.0, latency=0.001)

    async def probe(sample):
        for _, found in list(scene.membership.offers()):
            scene.cluster.probed(found.service, sample)
        await sweeps()
        return [scene.membership.routable(*one) for one in scene.membership.offers()]

    caplog.set_level("WARNING")
    rounds = [await probe(sample) for sample in (silent, silent, silent, answers)]
    first, second = (record.getMessage() for record in caplog.records)

    assert all(map(all, rounds))
    assert first.startswith("probes of 6 services get no answer")
    assert second.startswith("most services answer probes again")
