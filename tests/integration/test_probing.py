"""An engine whose `/health` fails while its node calls it well, through real processes."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from geniehive.v1 import discovery_service_pb2 as pb
from geniehive.v1 import discovery_service_pb2_grpc as pb_grpc
from geniehive.v1 import inventory_pb2, routing_service_pb2_grpc
from geniehive.v1 import routing_service_pb2 as routing_pb

from control.api.channel import sync_channel
from control.inventory import Endpoint, Health
from control.probing import targets
from control.probing.asking import Door, NoAnswer, get
from control.probing.names import Names
from control.probing.verdict import finding
from tests.fakes import answers
from tests.fakes.engine import Engine, openai
from tests.integration.cluster import Cluster, running_cluster
from tests.processes import START_SECONDS, wait_until

pytestmark = pytest.mark.anyio

INTERVAL_S = 0.5
PATIENCE_S = 10 * 3 * INTERVAL_S  # ten times what it takes
ASK = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}


class Ill(Engine):
    """An engine with a list of models, and with a health that a test decides."""

    def __init__(self) -> None:
        self.status = 200
        self.well = openai(["small"])
        super().__init__(
            lambda request: (
                answers.document({}, self.status)
                if request.target == "/health"
                else self.well(request)
            )
        )


class Operator:
    """Asks control and gateway, from another thread than that of the engine."""

    def __init__(self, cluster: Cluster) -> None:
        self.url = cluster.url
        self._address = cluster.control_address

    def service(self) -> pb.ServiceStatus:
        with sync_channel(self._address) as channel:
            stub = pb_grpc.DiscoveryServiceStub(channel)
            return stub.GetService(pb.GetServiceRequest(service_id="h1/fake")).service

    def samples(self) -> list[pb.HealthSample]:
        with sync_channel(self._address) as channel:
            stub = pb_grpc.DiscoveryServiceStub(channel)
            asked = pb.ListHealthSamplesRequest(service_id="h1/fake")
            return list(stub.ListHealthSamples(asked).samples)

    def route_version(self) -> int:
        with sync_channel(self._address) as channel:
            stub = pb_grpc.DiscoveryServiceStub(channel)
            return stub.GetClusterHealth(pb.GetClusterHealthRequest()).route_version

    def why_not(self) -> str:
        """Return what the explanation of the model says of the health of the service."""
        with sync_channel(self._address) as channel:
            stub = routing_service_pb2_grpc.RoutingServiceStub(channel)
            asked = routing_pb.ResolveRouteRequest(model="small", explain=True)
            (found,) = stub.ResolveRoute(asked).explanations
            return next(gate.detail for gate in found.gates if gate.name == "health")

    def chat(self) -> httpx.Response:
        return httpx.post(f"{self.url}/v1/chat/completions", json=ASK, trust_env=False)

    def wait(self, fact: Callable[[], bool], what: str) -> float:
        """Return how many seconds it took."""
        began = time.monotonic()
        wait_until(fact, PATIENCE_S, what)
        return time.monotonic() - began


@asynccontextmanager
async def probed(tmp_path, engine: Engine) -> AsyncIterator[Operator]:
    services = [{"service_id": "fake", "endpoint": engine.url}]
    control = {"routing": {"probe_interval_s": INTERVAL_S}}
    async with AsyncExitStack() as stack:
        running = running_cluster(tmp_path, services, control=control)
        cluster = await asyncio.to_thread(running.__enter__)
        stack.push_async_callback(asyncio.to_thread, running.__exit__, None, None, None)
        operator = Operator(cluster)
        await asyncio.to_thread(
            wait_until, lambda: operator.chat().is_success, START_SECONDS, "a chat"
        )
        yield operator


async def test_an_engine_that_fails_its_probes_leaves_routes_once_and_comes_back(tmp_path):
    async with Ill() as engine, probed(tmp_path, engine) as operator:
        ask = asyncio.to_thread
        engine.status = 500
        left = await ask(operator.wait, lambda: operator.chat().status_code == 503, "503")
        found, version = await ask(operator.service), await ask(operator.route_version)
        why, (sample, *_) = await ask(operator.why_not), await ask(operator.samples)
        await asyncio.sleep(3 * INTERVAL_S)  # its node tells how it is meanwhile, and is not heard
        version_later = await ask(operator.route_version)
        engine.status = 200
        back = await ask(operator.wait, lambda: operator.chat().is_success, "a chat again")
        samples = await ask(operator.samples)
    print(f"\nprobed every {INTERVAL_S} s: left after {left:.2f} s, back after {back:.2f} s")

    assert version_later == version
    assert not found.routable
    assert found.health == found.probe.health == inventory_pb2.HEALTH_UNHEALTHY
    assert found.service.observation.health == inventory_pb2.HEALTH_HEALTHY
    assert why == "unhealthy by probe: answers 500 at /health"
    assert dict(sample.checks) == {"http_ok": False, "models_ok": True, "auth_ok": True}
    assert [one.detail for one in samples[:2]] == ["", ""]
    assert samples[0].latency.ToNanoseconds() > 0
    assert samples == sorted(
        samples, key=lambda one: one.observed_time.ToNanoseconds(), reverse=True
    )
    assert {request.method for request in engine.requests if request.target == "/health"} == {"GET"}


@pytest.mark.parametrize("engine", ["llamacpp", ""])
async def test_a_real_engine_is_well_by_what_it_may_be_asked(llamacpp, engine):
    door, context = (
        Door(Endpoint("http", llamacpp.removeprefix("http://"))),
        ssl.create_default_context(),
    )
    replies = [await get(door, targets.first(engine), context, Names())]
    if path := targets.second(engine, replies[0].status, replies[0].body):
        replies.append(await get(door, path, context, Names()))

    assert finding(replies, with_key=False).health is Health.HEALTHY
    assert replies[-1].path == "/health"
    assert len(replies) == (1 if engine else 2)


async def test_a_certificate_must_be_of_the_name_that_the_endpoint_tells(tls_files):
    certificate, key = tls_files
    of_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    of_server.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answers.head(204))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=of_server) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for name in ("", "localhost"):
            door = Door(Endpoint("https", address, tls_name=name))
            assert (await get(door, "/health", trusting, Names())).status == 204
        door = Door(Endpoint("https", address, tls_name="elsewhere"))
        with pytest.raises(NoAnswer, match="TLS: hostname mismatch"):
            await get(door, "/health", trusting, Names())
        with pytest.raises(NoAnswer, match="TLS: self-signed certificate"):
            await get(
                Door(Endpoint("https", address)), "/health", ssl.create_default_context(), Names()
            )
