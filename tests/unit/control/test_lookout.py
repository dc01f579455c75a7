"""Questions are answered beside the loop, one at a time, from what does not change meanwhile."""

import asyncio
import threading
from dataclasses import replace

import pytest

from control import lookout
from control.api.errors import ModelNotFound, RateLimited
from control.inventory import (
    Availability,
    Endpoint,
    Health,
    Host,
    HostState,
    Observation,
    Operation,
    Service,
)
from control.live import Loads
from control.lookout import Lookout
from control.members import Offer
from control.membership import Membership
from control.pace import Rhythm
from control.probing.samples import Finding, HealthSample
from control.ranking.eligibility import Gate
from control.ranking.subject import Signals, Subject
from control.table.compile import Compiler
from control.table.watch import Hub

pytestmark = pytest.mark.anyio

SIGNALS = Signals(0.9, 44.0)


class Scene:
    """A lookout over hosts that offer one service each."""

    def __init__(self, hosts=2):
        self.membership = Membership(Rhythm(interval=1.0), jitter=lambda: 0.0)
        self.loads = Loads()
        self.lookout = Lookout(
            self.membership,
            Compiler(),
            Hub("store", "life", settled=False),
            self.loads,
            lambda host, offer: Subject(host, offer.service, SIGNALS),
        )
        for number in range(hosts):
            self.register(f"h{number}")

    def register(self, host_id, **seen):
        endpoint = Endpoint("http", "127.0.0.1:8080")
        service = Service(f"{host_id}/s", host_id, endpoint, concurrency=4)
        offer = Offer(service, Observation(**seen))
        self.membership.register(Host(host_id), "i", [offer], 0.0)


async def test_a_view_holds_all_that_is_known_of_services(one_loop):
    scene = Scene(hosts=0)
    scene.register("h", queue_depth=3)
    scene.loads.tell("a gateway", {"h/s": 2})
    view = await scene.lookout.ask(lambda view: view)
    seen = view.seen["h/s"]

    assert seen.subject.host == Host("h")
    assert seen.subject.signals is SIGNALS
    assert seen.host is HostState.ONLINE
    assert not seen.held_back
    assert (seen.load.in_flight, seen.load.queue_depth, seen.load.concurrency) == (2, 3, 4)
    assert view.targets == {operation: {} for operation in Operation}
    assert not view.settled


async def test_a_view_holds_what_is_pending_and_who_waits_and_whether_there_is_a_room(one_loop):
    scene = Scene(hosts=1)
    scene.loads.tell("a gateway", {}, pending={"h0/s": 1_500}, waiting={"h0/s": 2})
    load = (await scene.lookout.ask(lambda view: view)).seen["h0/s"].load

    assert (load.pending_s, load.waiting, load.gated) == (1.5, 2, True)
    assert load.speeds == {}


async def test_why_its_owner_does_not_lend_a_service_is_seen(one_loop):
    scene = Scene(hosts=0)
    scene.register("h", availability=Availability.PAUSED_BY_USER, detail="on battery")
    view = await scene.lookout.ask(lambda view: view)
    signals = Signals(availability=Availability.PAUSED_BY_USER)
    subject = replace(view.seen["h/s"].subject, signals=signals)
    gates = replace(view.seen["h/s"], subject=subject).gates()

    assert Gate("availability", False, "paused_by_user: on battery") in gates


async def test_a_question_runs_in_another_thread_and_fails_as_itself(one_loop):
    scene = Scene()

    def question(view):
        assert threading.current_thread() is not threading.main_thread()
        raise ModelNotFound("nobody has it")

    with pytest.raises(ModelNotFound):
        await scene.lookout.ask(question)


async def test_hosts_may_come_and_go_while_a_view_is_made(one_loop, monkeypatch):
    monkeypatch.setattr(lookout, "SLICE", 1)
    scene = Scene(hosts=3)
    asking = asyncio.create_task(scene.lookout.ask(lambda view: set(view.seen)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    scene.membership.deregister("h2", None, 0.0)
    scene.register("h9")

    assert {"h0/s", "h1/s"} <= await asking


async def test_questions_wait_for_each_other_even_for_one_nobody_waits_for(one_loop):
    scene = Scene()
    began, may_end = threading.Event(), threading.Event()

    def slow(view):
        began.set()
        assert may_end.wait(10)

    first = asyncio.create_task(scene.lookout.ask(slow))
    await asyncio.to_thread(began.wait, 10)
    second = asyncio.create_task(scene.lookout.ask(lambda view: may_end.is_set()))
    first.cancel()
    await asyncio.wait([second], timeout=0.05)
    assert not second.done()
    may_end.set()

    assert await second
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_who_asks_beside_too_many_is_refused_and_no_others_are(one_loop, monkeypatch):
    monkeypatch.setattr(lookout, "MAX_ASKED", 2)
    scene = Scene()
    asking = [asyncio.create_task(scene.lookout.ask(len_of)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(RateLimited):
        await scene.lookout.ask(len_of)

    assert await asyncio.gather(*asking) == [2, 2]
    assert await scene.lookout.ask(len_of) == 2


def len_of(view):
    return len(view.seen)


async def test_a_service_that_probes_call_unwell_is_seen_so_with_the_reason(one_loop):
    scene = Scene(hosts=0)
    scene.register("h", health=Health.HEALTHY)
    asked = scene.membership.offer("h/s")[1].service
    down = Finding(Health.UNHEALTHY, {"http_ok": False}, "answers 500 at /health")
    for _ in range(2):
        scene.membership.probed(asked, HealthSample(down, 0.0), 0.0)
    seen = (await scene.lookout.ask(lambda view: view)).seen["h/s"]
    _, gate, _ = seen.gates()

    assert not seen.alive
    assert (gate.name, gate.passed) == ("health", False)
    assert gate.detail == "unhealthy by probe: answers 500 at /health"
