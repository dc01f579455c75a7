"""Looking at servers: each on its own, and control is told of what matters."""

import asyncio
from dataclasses import replace

import pytest

from node.assets import MAX_DESCRIPTION
from node.config import Config
from node.engines.detect import Found
from node.engines.sight import Counters, Model, Sight
from node.machine.observer import Observer
from node.watch import DETECT_SECONDS, SETTLED_SECONDS, UNSETTLED_SECONDS, Watch

UP = Sight("healthy", engine="openai", models=(Model("m", True),))
DOWN = Sight("unhealthy", "cannot be reached")


class Still(Observer):
    """Nobody looks at the machine itself, and nobody waits for that."""

    async def first_look(self, seconds, *, with_files=False):
        return

    async def run(self, changed):
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


class Engines(Machine):
    """Servers of one address that change; what each look asked is remembered."""

    def __init__(self, services=(), ports=()):
        super().__init__({}, ports)
        told = {"node": {"host_id": "h"}, "services": services, "detect_ports": list(ports)}
        settings = Config.model_validate(told)
        self.sight = UP
        self.asked = []
        self.watch = Watch(
            settings, self.look, self.detect, self.sleep, observer=Still(settings), now=lambda: 0.0
        )

    async def look(self, url, engine, key):
        self.asked.append((url, engine))
        return self.sight

    def offered(self):
        return {
            one.service.service_id: [asset.asset_id for asset in one.service.assets]
            for one in self.watch.report().services
        }


def service(name, **keys):
    return {"service_id": name, "endpoint": "http://a", **keys}


@pytest.mark.anyio
async def test_what_a_server_is_stays_known_until_it_was_away(running):
    machine = Engines([service("x")])
    for sight in (DOWN, UP, UP, Sight("loading", engine="ollama"), DOWN, UP):
        machine.sight = sight
        await (machine.tick() if machine.asked else running(machine))

    assert [engine for _, engine in machine.asked] == [
        None,
        None,
        "openai",
        "openai",
        "ollama",
        None,
    ]


@pytest.mark.anyio
async def test_a_server_is_asked_as_it_is_declared_whatever_it_looks_like(running):
    machine = Engines([service("x", engine="vllm")])
    await running(machine)
    await machine.tick()

    assert {engine for _, engine in machine.asked} == {"vllm"}


@pytest.mark.anyio
async def test_services_of_one_server_cost_one_look_and_share_its_models(running):
    machine = Engines([service("chat"), service("embed", kind="embeddings")])
    models = (Model("c", True, operation="chat"), Model("e", True, operation="embeddings"))
    machine.sight = Sight("healthy", engine="ollama", models=models)
    await running(machine)

    assert machine.asked == [("http://a", None)]
    assert machine.offered() == {"h/chat": ["c"], "h/embed": ["e"]}


@pytest.mark.anyio
async def test_what_is_found_on_a_port_is_named_after_what_answers_there_now(running):
    machine = Engines(ports=[8080])
    machine.found = [Found(8080, "http://127.0.0.1:8080", UP)]
    await running(machine)
    assert machine.offered() == {"h/openai-8080": ["m"]}

    other = Sight("healthy", engine="ollama", models=(Model("o", True),))
    for machine.sight in (DOWN, other):
        await machine.tick()

    assert machine.offered() == {"h/ollama-8080": ["o"]}
    assert machine.watch.changed.is_set()
    await machine.tick()
    assert machine.asked[-1] == ("http://127.0.0.1:8080", "ollama")


@pytest.mark.anyio
async def test_a_search_that_breaks_stops_nothing(running):
    machine = Engines([service("x")], ports=[8080])
    machine.found = None
    await running(machine)
    assert machine.offered() == {"h/x": ["m"]}

    machine.found = [Found(8080, "http://127.0.0.1:8080", UP)]
    await machine.tick()
    assert list(machine.offered()) == ["h/x", "h/openai-8080"]


@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", ["http://localhost:8080", "http://[::1]:8080/"])
async def test_a_server_is_the_same_however_its_address_is_written(running, endpoint):
    machine = Engines([service("x", endpoint=endpoint)], ports=[8080])
    machine.found = [Found(8080, "http://127.0.0.1:8080", UP)]
    await running(machine)

    assert list(machine.offered()) == ["h/x"]


@pytest.mark.anyio
async def test_a_server_that_describes_without_end_costs_its_host_nothing(running):
    words = tuple(f"{number}{'w' * 98}" for number in range(16))
    models = tuple(Model(f"m{number}", True, capabilities=words) for number in range(2_000))
    machine = Engines([service("x")])
    machine.sight = Sight("healthy", engine="openai", models=models)
    await running(machine)

    (watched,) = machine.watch.report().services
    assert len(watched.service.assets) == 2_000
    assert 0 < watched.described <= MAX_DESCRIPTION


@pytest.mark.anyio
async def test_speed_is_of_what_each_server_counted_between_looks(running):
    def counted(tokens, seconds):
        counters = Counters(generated_tokens=tokens, generation_seconds=seconds)
        return replace(UP, counters=counters)

    machine = Machine({"http://a": counted(100, 10), "http://b": counted(900, 1)})
    await running(machine)
    machine.servers = {"http://a": counted(130, 11), "http://b": counted(5, 1)}
    await machine.tick()

    speeds = [one.observation.rates.tokens_per_second for one in machine.watch.report().services]
    assert speeds == [30, None]  # the second was restarted


SILENT = Sight("unhealthy", "sends no full answer within 3 s", silent=True)


@pytest.mark.anyio
@pytest.mark.parametrize("found", [False, True], ids=["declared", "found"])
async def test_who_was_well_is_away_when_it_was_silent_twice(running, found):
    """Six first requests at once keep a real vLLM from answering for seconds."""
    machine = Engines([] if found else [service("x")], ports=[8080] if found else [])
    machine.found = [Found(8080, "http://127.0.0.1:8080", UP)]
    await running(machine)

    machine.sight = SILENT
    if found:
        machine.watch.changed.clear()
    assert UNSETTLED_SECONDS in await machine.tick()
    assert list(machine.healths().values()) == ["healthy"]
    assert not machine.watch.changed.is_set()

    await machine.tick()
    assert list(machine.healths().values()) == ["unhealthy"]
    assert machine.watch.changed.is_set()
    assert {engine for _, engine in machine.asked[-2:]} == {"openai"}


@pytest.mark.anyio
@pytest.mark.parametrize("sights", [[DOWN], [SILENT, DOWN]], ids=["at once", "after a silence"])
async def test_who_cannot_be_reached_is_away_at_once(running, sights):
    machine = Engines([service("x")])
    await running(machine)
    for machine.sight in sights:
        await machine.tick()

    assert list(machine.healths().values()) == ["unhealthy"]


@pytest.mark.anyio
async def test_one_silence_after_another_that_ended_changes_nothing(running):
    machine = Engines([service("x")])
    await running(machine)
    for machine.sight in (SILENT, UP, SILENT, UP, SILENT):
        await machine.tick()

    assert list(machine.healths().values()) == ["healthy"]
    assert not machine.watch.changed.is_set()
