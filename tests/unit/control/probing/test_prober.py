import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from control.inventory import Endpoint, Health, NodeRelay, Observation
from control.membership import Membership
from control.pace import Rhythm
from control.probing.prober import MAX_AT_ONCE, STALE_INTERVALS, Prober
from tests.fakes import answers
from tests.fakes.answers import Hang
from tests.fakes.engine import Engine, openai
from tests.unit.control.builders import HEALTHY, beat, host, offer, service
from tests.unit.control.clock import Clock

pytestmark = pytest.mark.anyio

INTERVAL_S = 0.05


class Scene:
    """A membership that is probed; time that probes see is a clock that a test moves."""

    def __init__(self, interval, timeout):
        self.clock = Clock()
        self.membership = Membership(Rhythm(interval=5.0), jitter=lambda: 0.0)
        self.samples, self.forgotten = [], []
        self.prober = Prober(
            self.membership,
            interval,
            timeout,
            in_flight=lambda _: 3,
            jitter=lambda: 0.5,
            now=self.clock,
            wall_time=lambda: self.clock.wall_time(self.clock()),
        )

    def probed(self, asked, sample):
        self.membership.probed(asked, sample, self.clock())
        self.samples.append((asked.service_id, sample))
        self.follow()

    def unprobed(self, service_id):
        self.membership.unprobed(service_id, self.clock())
        self.forgotten.append(service_id)
        self.follow()

    def follow(self):
        self.prober.follow(self.membership.take_changes().services)

    def join(self, *offers):
        self.lease, _ = self.membership.register(host(), "i", offers, self.clock())
        self.follow()

    def findings(self, service_id="h1/s"):
        return [one.finding for name, one in self.samples if name == service_id]

    async def until(self, fact, step=INTERVAL_S / 10):
        """Let time pass, for the clock too, until `fact`."""
        async with asyncio.timeout(20):
            while not fact():
                self.clock.now += step
                await asyncio.sleep(0.002)


@asynccontextmanager
async def scene(interval=INTERVAL_S, patience=5.0):
    found = Scene(interval, patience)
    running = asyncio.create_task(found.prober.run(found))
    try:
        yield found
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def at(server, service_id="h1/s", **fields):
    seen = fields.pop("seen", HEALTHY)
    return offer(service_id, seen=seen, endpoint=Endpoint("http", server.address), **fields)


async def test_services_are_probed_again_and_again():
    async with Engine(openai(["m"])) as engine, scene() as here:
        here.join(at(engine, seen=Observation(Health.HEALTHY, queue_depth=2)))
        await here.until(lambda: len(here.samples) >= 3)
    sample = here.samples[0][1]

    assert [one.health for one in here.findings()] == [Health.HEALTHY] * len(here.samples)
    assert here.membership.probes.health("h1/s") is Health.HEALTHY
    assert (sample.in_flight, sample.queue_depth) == (3, 2)
    assert sample.latency >= 0.0
    assert sample.observed_time > 1_700_000_000.0
    assert {request.target for request in engine.requests} == {"/v1/models", "/health"}


async def test_an_engine_is_asked_as_its_name_says_and_with_its_key():
    async with Engine(openai(["m"])) as engine, scene() as here:
        here.join(
            at(engine, "h1/a", engine="llamacpp", api_key="sekret"),
            at(engine, "h1/b", engine="SGLang"),
        )
        await here.until(lambda: here.findings("h1/a") and here.findings("h1/b"))
    asked = {(request.target, request.header("authorization")) for request in engine.requests}

    assert asked == {("/health", "Bearer sekret"), ("/v1/models", None)}


async def test_what_only_its_node_reaches_is_not_probed():
    """The address is one of another machine; here something else may listen."""
    async with Engine(openai(["m"])) as engine, scene() as here:
        door = NodeRelay("192.168.1.22:8802", "t0ken")
        behind = Endpoint("http", engine.address, direct=False, relay=door)
        other = at(engine, "h1/b")
        here.join(
            at(engine, "h1/a"), replace(other, service=replace(other.service, endpoint=behind))
        )
        await here.until(lambda: len(here.findings("h1/a")) >= 3)

    assert not here.findings("h1/b")


async def test_who_hangs_is_unwell_after_the_timeout():
    async with Engine(lambda _: [Hang()]) as engine, scene(patience=0.05) as here:
        here.join(at(engine))
        await here.until(lambda: here.samples)

    assert here.findings()[0].detail == "sends no answer within 0.05 s"
    assert here.samples[0][1].latency is None


async def test_a_probe_while_control_stood_still_tells_nothing():
    async with Engine(lambda _: [Hang()]) as engine, scene(patience=0.05) as here:
        here.join(at(engine))
        await here.until(lambda: engine.in_flight)
        here.clock.now += 60.0
        await here.until(lambda: not engine.in_flight)
        stopped = list(here.samples)
        await here.until(lambda: here.samples)

    assert stopped == []


async def test_who_is_gone_from_its_port_is_unwell():
    async with Engine(openai(["m"])) as engine:
        address = engine.address
    async with scene() as here:
        here.join(offer(endpoint=Endpoint("http", address)))
        await here.until(lambda: len(here.samples) >= 2)

    assert here.membership.why_unwell(here.membership.offer("h1/s")[1]) == (
        "unhealthy by probe: cannot be reached from control"
    )


async def test_a_bounded_number_is_asked_at_once():
    async with Engine(lambda _: [Hang()]) as engine, scene(patience=30.0) as here:
        here.join(*(at(engine, f"h1/{n}") for n in range(2 * MAX_AT_ONCE)))
        await here.until(lambda: engine.in_flight >= MAX_AT_ONCE)
        most = 0
        for _ in range(20):
            await asyncio.sleep(0.005)
            most = max(most, len(engine.open))

        assert most == MAX_AT_ONCE


async def test_what_was_asked_at_the_old_address_tells_nothing_of_the_new_one():
    def slow(_):
        return [answers.Pause(0.1), *answers.whole(b"", 500)]

    async with Engine(slow) as old, Engine(openai(["m"])) as new, scene() as here:
        here.join(at(old))
        await here.until(lambda: old.requests)
        moved = service(endpoint=Endpoint("http", new.address), revision=1)
        here.membership.beat(beat(here.lease, 1, ("h1/s", HEALTHY, moved)), here.clock())
        here.follow()
        await here.until(lambda: len(here.samples) >= 3)

    assert here.findings()[0].health is Health.UNHEALTHY
    assert here.membership.probes.of("h1/s").last.finding.health is Health.HEALTHY
    assert len(here.membership.probes.of("h1/s").samples) == len(here.samples) - 1


async def test_who_is_gone_is_asked_no_more_and_forgotten():
    async with Engine(openai(["m"])) as engine, scene() as here:
        here.join(at(engine))
        await here.until(lambda: here.samples)
        here.membership.deregister("h1", here.lease, here.clock())
        here.follow()
        await here.until(lambda: not engine.in_flight)
        before = len(engine.requests)
        for _ in range(20):
            here.clock.now += INTERVAL_S
            await asyncio.sleep(0.002)

    assert len(engine.requests) == before
    assert len(here.membership.probes) == 0


async def test_a_host_that_is_away_too_long_begins_anew():
    async with Engine(lambda _: answers.whole(b"", 500)) as engine, scene() as here:
        here.join(at(engine))
        await here.until(lambda: len(here.samples) >= 2)
        assert here.membership.probes.health("h1/s") is Health.UNHEALTHY
        lost_at = here.clock.now = here.clock.now + 60.0
        here.membership.expire(lost_at)
        here.follow()
        await here.until(lambda: here.forgotten)

    assert here.clock.now >= lost_at + STALE_INTERVALS * INTERVAL_S
    assert here.membership.probes.health("h1/s") is Health.UNKNOWN


async def test_a_host_that_is_back_soon_is_as_it_was():
    async with Engine(lambda _: answers.whole(b"", 500)) as engine, scene() as here:
        here.join(at(engine))
        await here.until(lambda: len(here.samples) >= 2)
        here.clock.now += 60.0
        here.membership.expire(here.clock())
        here.follow()
        here.join(at(engine))
        before = len(here.samples)
        await here.until(lambda: len(here.samples) >= before + 3)

    assert here.forgotten == []
    assert here.membership.probes.health("h1/s") is Health.UNHEALTHY


async def test_who_waits_for_others_that_hang_stays_as_it_was():
    """Else a rack that swallows every packet would bring back whoever is unwell."""
    failing = Engine(lambda _: answers.whole(b"", 500))
    async with failing, Engine(lambda _: [Hang()]) as hanging, scene(patience=30.0) as here:
        here.join(at(failing))
        await here.until(lambda: len(here.samples) >= 2)
        here.join(at(failing), *(at(hanging, f"h1/{n}") for n in range(2 * MAX_AT_ONCE)))
        await here.until(lambda: hanging.in_flight == MAX_AT_ONCE)
        before = len(failing.requests)
        here.clock.now += 10 * STALE_INTERVALS * INTERVAL_S
        for _ in range(20):
            here.clock.now += INTERVAL_S
            await asyncio.sleep(0.002)

        assert len(failing.requests) == before
        assert here.membership.probes.health("h1/s") is Health.UNHEALTHY


async def test_a_probe_that_breaks_stops_no_other(caplog):
    async with Engine(openai(["m"])) as engine, scene() as here:
        told, broken = here.probed, []

        def probed(asked, sample):
            if asked.service_id == "h1/a":
                broken.append(asked)
                raise ZeroDivisionError
            told(asked, sample)

        here.probed = probed
        here.join(at(engine, "h1/a"), at(engine, "h1/b"))
        await here.until(lambda: len(broken) >= 2 and len(here.findings("h1/b")) >= 2)

    assert "probing h1/a broke" in caplog.text


async def test_an_interval_of_0_probes_nobody():
    async with Engine(openai(["m"])) as engine:
        here = Scene(0.0, 5.0)
        here.join(at(engine))
        await here.prober.run(here)

        assert not engine.requests
