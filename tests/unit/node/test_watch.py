"""Looking at servers: each on its own, and control is told of what matters."""

import asyncio

import pytest

from node.config import Config
from node.engines.detect import Found
from node.engines.sight import Model, Sight
from node.machine.observer import Observer
from node.watch import DETECT_SECONDS, SETTLED_SECONDS, UNSETTLED_SECONDS, Watch

UP = Sight("healthy", engine="openai", models=(Model("m", True),))
DOWN = Sight("unhealthy", "cannot be reached")


class Still(Observer):
    """Nobody looks at the machine itself, and nobody waits for that."""

    async def first_look(self, seconds, *, with_files=False):
        return


class Machine:
    """Servers by URL, and a clock that a test moves."""

    def __init__(self, servers, ports=(), keys=None):
        self.servers = servers
        self.found = []
        self.sleeping = []  # (seconds, the future that ends the sleep)
        settings = Config.model_validate(
            {
                "node": {"host_id": "h"},
                "services": [
                    {"service_id": url.removeprefix("http://"), "endpoint": url} for url in servers
                ],
                "detect_ports": list(ports),
            }
        )
        self.presented = {}  # the key of the last look, by URL
        self.watch = Watch(
            settings, self.look, self.detect, self.sleep, keys or {}, observer=Still(settings)
        )

    async def look(self, url, engine, key):
        self.presented[url] = key
        sight = self.servers[url]
        if isinstance(sight, Exception):
            raise sight
        if isinstance(sight, asyncio.Event):
            await sight.wait()
            return UP
        return sight

    async def detect(self, ports):
        return [one for one in self.found if one.port in set(ports)]

    async def sleep(self, seconds):
        future = asyncio.get_running_loop().create_future()
        self.sleeping.append((seconds, future))
        await future

    async def tick(self):
        """End all sleeps and let everything run until it sleeps again."""
        ended, self.sleeping = self.sleeping, []
        for _, future in ended:
            future.set_result(None)
        for _ in range(20):
            await asyncio.sleep(0)
        return sorted(seconds for seconds, _ in self.sleeping)

    def healths(self):
        return {
            one.service.service_id: one.observation.health for one in self.watch.report().services
        }


@pytest.fixture
async def running(anyio_backend):
    """`running(machine)`: its watch runs until the test ends."""
    tasks = []

    async def start(machine):
        tasks.append(asyncio.ensure_future(machine.watch.run()))
        sleeps = await machine.tick()
        machine.watch.changed.clear()
        return sleeps

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.anyio
async def test_first_look_sees_everything_there_is(running):
    machine = Machine({"http://a": UP, "http://b": DOWN}, ports=[8080])
    machine.servers["http://127.0.0.1:8080"] = UP
    machine.found = [Found(8080, "http://127.0.0.1:8080", UP)]
    looking = asyncio.ensure_future(machine.watch.first_look(60.0))
    await running(machine)
    await looking

    assert machine.healths() == {
        "h/a": "healthy",
        "h/b": "unhealthy",
        "h/openai-8080": "healthy",
    }


@pytest.mark.anyio
async def test_first_look_waits_for_no_server_longer_than_told(running):
    answers = asyncio.Event()
    machine = Machine({"http://slow": answers, "http://b": UP})
    await running(machine)
    await machine.watch.first_look(0.01)

    slow, quick = machine.watch.report().services
    assert slow.observation.detail == "not looked at yet"
    assert quick.observation.health == "healthy"
    assert not machine.watch.changed.is_set()

    answers.set()
    await machine.watch.first_look(60.0)
    assert machine.healths() == {"h/slow": "healthy", "h/b": "healthy"}
    assert machine.watch.changed.is_set()


@pytest.mark.anyio
async def test_a_look_that_breaks_stops_nothing(running):
    machine = Machine({"http://a": RuntimeError("surprise"), "http://b": UP})
    await running(machine)

    assert machine.healths() == {"h/a": "unhealthy", "h/b": "healthy"}

    machine.servers["http://a"] = UP
    await machine.tick()

    assert machine.healths()["h/a"] == "healthy"


@pytest.mark.anyio
async def test_who_is_not_settled_is_looked_at_more_often(running):
    machine = Machine({"http://a": UP, "http://b": Sight("loading")})

    assert await running(machine) == [UNSETTLED_SECONDS, SETTLED_SECONDS]


@pytest.mark.anyio
async def test_only_what_matters_wakes_the_session(running):
    machine = Machine({"http://a": UP})
    await running(machine)

    machine.servers["http://a"] = Sight("healthy", engine="openai", models=UP.models, in_flight=4)
    await machine.tick()
    assert not machine.watch.changed.is_set()
    assert machine.watch.report().services[0].observation.in_flight == 4

    machine.servers["http://a"] = DOWN
    await machine.tick()
    assert machine.watch.changed.is_set()


@pytest.mark.anyio
async def test_a_server_that_starts_later_is_found(running):
    machine = Machine({}, ports=[8080])
    assert await running(machine) == [DETECT_SECONDS]
    assert machine.healths() == {}

    machine.servers["http://127.0.0.1:8080"] = UP
    machine.found = [Found(8080, "http://127.0.0.1:8080", UP)]

    assert await machine.tick() == [SETTLED_SECONDS]
    assert machine.healths() == {"h/openai-8080": "healthy"}
    assert machine.watch.changed.is_set()


@pytest.mark.anyio
async def test_a_host_offers_no_more_than_control_takes_and_says_so_once(running, caplog):
    models = tuple(Model(f"m{number}", True) for number in range(2_000))
    many = Sight("healthy", engine="openai", models=models)
    machine = Machine({f"http://{letter}": many for letter in "abcdef"})
    await running(machine)
    await machine.tick()
    await machine.tick()

    offered = [len(one.service.assets) for one in machine.watch.report().services]
    assert offered == [2_000] * 5 + [0]
    (record,) = [one for one in caplog.records if one.levelname == "WARNING"]
    assert record.message.startswith("h/f lists 2000 models more than the 10000 that a host")

    machine.servers["http://a"] = Sight("healthy", engine="openai", models=())
    await machine.tick()
    await machine.tick()
    offered = [len(one.service.assets) for one in machine.watch.report().services]
    assert offered == [0] + [2_000] * 5


@pytest.mark.anyio
async def test_each_server_is_looked_at_with_its_own_key(running):
    machine = Machine({"http://a": UP, "http://b": UP}, keys={"h/a": "canary"})
    await running(machine)
    await machine.tick()

    assert machine.presented == {"http://a": "canary", "http://b": ""}
    keyed, open_to_all = machine.watch.report().services
    assert (keyed.service.api_key, open_to_all.service.api_key) == ("canary", "")
    assert "canary" not in repr(machine.watch.report())


@pytest.mark.anyio
async def test_a_declared_server_is_not_found_twice(running):
    machine = Machine({"http://127.0.0.1:8080": UP}, ports=[8080])
    machine.found = [Found(8080, "http://127.0.0.1:8080", UP)]
    await running(machine)

    assert list(machine.healths()) == ["h/127.0.0.1:8080"]
