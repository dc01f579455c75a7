"""A gateway in this process, behind either door, with a table that the test writes."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from geniehive.v1 import inventory_pb2 as inventory
from geniehive.v1 import routing_service_pb2 as pb
from uvicorn.server import ServerState

from control.api.errors import ControlUnavailable, GenieHiveError
from gateway.config import Config
from gateway.gateway import Gateway
from gateway.listening import listen
from gateway.steps import finished
from gateway.table import Applied, Replica
from gateway.worker import http_config
from tests.fakes.node_door import NodeDoor

CHAT = "/v1/chat/completions"
HASH_SECRET = b"s" * 32
ROOM = pb.RoomSettings(waiting=True, priority=pb.PRIORITY_NORMAL, highest_priority=pb.PRIORITY_HIGH)


class Control:
    """Control as questions about routes know it; `answer` is what it says to the next one."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Any = ControlUnavailable("control does not answer now")

    async def resolve(self, request: pb.ResolveRouteRequest) -> pb.ResolveRouteResponse:
        return self._answered(request)

    async def match(self, request: pb.MatchRoutesRequest) -> pb.MatchRoutesResponse:
        return self._answered(request)

    def _answered(self, request: Any) -> Any:
        self.asked.append(request)
        if isinstance(self.answer, GenieHiveError):
            raise self.answer
        return self.answer


class Front:
    """The gateway under test, and what a client does to it."""

    def __init__(self, gateway: Gateway, control: Control, port: int, door: str) -> None:
        self.gateway = gateway
        self.control = control
        self.port = port
        self.door = door
        self.url = f"http://127.0.0.1:{port}"
        self.connections: set[Any] = set()  # of clients, as the server has them
        self.node: NodeDoor | None = None  # through which engines are reached, if not directly

    def offer(
        self,
        *engines: str,
        model: str = "small",
        others: Sequence[str] = (),
        api_key: str = "",
        slots: int = 0,
    ) -> None:
        """Route `model` to services `h/0`, `h/1`, … at these addresses, alike in score.

        api_key: what these engines are called with. slots: of each; with some, requests wait
        for one that is free.
        """
        services = [f"h/{number}" for number in range(len(engines))]
        if self.node is not None:
            self.node.offer(**{f"h_{n}": f"http://{address}" for n, address in enumerate(engines)})
        resources = [
            pb.Resource(
                name=f"service/{service}",
                service=pb.RouteService(
                    service_id=service,
                    host_id="h",
                    api_key=api_key,
                    concurrency=slots,
                    endpoint=self._endpoint(address),
                ),
            )
            for service, address in zip(services, engines, strict=True)
        ]
        if slots:
            resources.append(pb.Resource(name="room", room=ROOM))
        for name in (model, *others):
            candidates = [
                pb.Candidate(service_id=service, asset_id=name, score=1) for service in services
            ]
            resources.append(
                pb.Resource(
                    name=f"target/chat/{name}",
                    target=pb.Target(
                        name=name, operation=inventory.OPERATION_CHAT, candidates=candidates
                    ),
                )
            )
        self.route(resources)

    def _endpoint(self, address: str) -> inventory.Endpoint:
        endpoint = inventory.Endpoint(scheme="http", address=address)
        endpoint.kind = inventory.ENDPOINT_KIND_DIRECT
        if self.node is not None:
            endpoint.kind = inventory.ENDPOINT_KIND_NODE_RELAY
            endpoint.relay.CopyFrom(self.node.message)
        return endpoint

    def route(self, resources: list[pb.Resource]) -> None:
        """Serve by these resources and no others."""
        table = self.gateway.route_table
        finished(self.gateway.routes.follow(table, self._push(table, resources).names))

    def allow(self, *keys: str, highest: pb.Priority = pb.PRIORITY_UNSPECIFIED) -> None:
        """Require one of these keys; none: require nothing. highest: priority of their requests."""
        settings = pb.KeySettings(required=bool(keys), hash_secret=HASH_SECRET)
        resources = [pb.Resource(name="settings", settings=settings)]
        for key in keys:
            digest = hmac.digest(HASH_SECRET, key.encode(), "sha256")
            entry = pb.ClientKey(principal_id=f"static:{digest.hex()[:8]}", key_hash=digest)
            entry.highest_priority = highest
            resources.append(pb.Resource(name=f"key/{key}", key=entry))
        self._push(self.gateway.key_table, resources)
        self.gateway.keys.replace(self.gateway.key_table.current)

    def _push(self, table: Replica[Any], resources: list[pb.Resource]) -> Applied:
        version = table.identity.version + 1 if table.identity is not None else 1
        identity = pb.TableIdentity(store_id="s", incarnation="i", version=version)
        return table.apply(
            pb.TableUpdate(identity=identity, snapshot=True, settled=True, upserts=resources)
        )

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        """POST `body` to chat completions: a document, or bytes as they are."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            names.setdefault("content-type", "application/json")
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            return await client.post(self.url + CHAT, headers=names, **content)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a bare connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def raw(self, data: bytes) -> bytes:
        """Send `data`, then return all bytes until the gateway closes the connection."""
        reader, writer = await self.connect()
        try:
            writer.write(data)
            async with asyncio.timeout(30):
                return await reader.read()
        finally:
            writer.close()

    async def idle(self, seconds: float = 10.0) -> None:
        """Wait until nothing is in flight."""
        async with asyncio.timeout(seconds):
            while self.gateway.active or self.gateway.loads():  # noqa: ASYNC110  # it sends no events
                await asyncio.sleep(0.005)


def request(body: bytes, *headers: str, path: str = CHAT, version: str = "1.1") -> bytes:
    """Return a POST of `body` as bytes on the wire."""
    lines = [
        f"POST {path} HTTP/{version}",
        "Host: t",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def front(door: str, **settings: Any) -> AsyncIterator[Front]:
    """Serve behind `door` until the block ends. Nothing may be left in flight then."""
    chosen = Config(door=door, **settings)
    gateway = Gateway(chosen)
    control = Control()
    config = http_config(gateway, chosen, control)
    config.load()
    state = ServerState()
    listener = listen("127.0.0.1:0")
    server = await asyncio.get_running_loop().create_server(
        lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),
        sock=listener,
    )
    sweeping = asyncio.create_task(gateway.keep_sweeping())
    started = Front(gateway, control, listener.getsockname()[1], door)
    started.connections = state.connections
    started.allow()
    try:
        yield started
        await started.idle()
    finally:
        server.close()
        sweeping.cancel()
        for upstream in gateway.routes.upstreams.values():
            upstream.retire()
        for connection in list(state.connections):
            connection.transport.abort()
        with suppress(asyncio.CancelledError):
            await sweeping
