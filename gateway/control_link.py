"""The gateway's side of control: tables come down, load goes both ways, usage goes up."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
from geniehive.v1 import routing_service_pb2 as pb
from geniehive.v1 import routing_service_pb2_grpc as pb_grpc

from control.api import auth
from control.api.channel import control_errors
from control.api.errors import ControlUnavailable, GenieHiveError
from gateway.gateway import Gateway
from gateway.hints import Hints
from gateway.inbox import Inbox, Stream
from gateway.load_messages import MAX_RATES, elsewhere, load_messages, rate_messages, told
from gateway.routes import Names
from gateway.steps import paced
from gateway.table import Replica, SnapshotWanted
from gateway.usage_link import UsageLink

log = logging.getLogger(__name__)

# Full jitter between these, so that gateways cut off together do not return together.
RETRY_SECONDS = (0.5, 2.0)
LOAD_SECONDS = 0.25  # between two messages about load, until control has told its own
STALE_SECONDS = 2.0  # after which what control told of load is not believed any more

T = TypeVar("T")


class ControlLink:
    """Keeps a gateway in touch with control, for as long as it runs."""

    def __init__(
        self, gateway: Gateway, channel: grpc.aio.Channel, gateway_id: str, key: str | None
    ) -> None:
        self._gateway = gateway
        self._id = gateway_id
        self._metadata = auth.metadata("gateway", key)
        self._stub: Any = pb_grpc.RoutingServiceStub(channel)
        self._hints = Hints(gateway.routes.upstreams)
        self._usage = UsageLink(gateway.meter, channel, self._metadata)
        self._silent: dict[str, str] = {}  # streams that are down, and why

    async def run(self) -> None:
        """Watch routes and keys, exchange load and report usage, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep("routes", self._watch_routes))
            group.create_task(self._keep("keys", self._watch_keys))
            group.create_task(self._keep("load", self._exchange_load))
            group.create_task(self._keep("usage", self._usage.life))

    async def flush(self, patience: float) -> bool:
        """Report what was used so far; return whether control has it within `patience` seconds."""
        return await self._usage.flush(patience)

    async def _keep(self, what: str, life: Callable[[], AsyncIterator[None]]) -> None:
        """Live one life of a stream after the other; each yields once it is connected."""
        while True:
            try:
                with control_errors():
                    async for _ in life():
                        if self._silent.pop(what, None) is not None:
                            log.info("control: %s connected", what)
                        if what == "routes":
                            self._gateway.control_connected = True
                    raise ControlUnavailable("stream ended")
            except GenieHiveError as error:
                problem = str(error)
            except SnapshotWanted as error:
                problem = f"snapshot refused: {error}"
            except Exception as error:  # whatever breaks a life, the next one must come
                log.exception("control: %s: bug", what)
                problem = repr(error)
            if what == "routes":
                self._gateway.control_connected = False
            self._tell(what, problem)
            low, high = RETRY_SECONDS
            await asyncio.sleep(low + (high - low) * self._gateway.random())

    def _tell(self, what: str, problem: str) -> None:
        """Log why a stream is down: once, and not again for others that have the same reason."""
        if what not in self._silent and problem not in self._silent.values():
            known = self._gateway.routes.ready
            log.warning(
                "control: %s: %s; %s",
                what,
                problem,
                "serving from what is known" if known else "nothing is known yet",
            )
        self._silent.setdefault(what, problem)

    async def _watch_routes(self) -> AsyncIterator[None]:
        gateway = self._gateway
        stream = self._stub.WatchRoutes(metadata=self._metadata)
        table = gateway.route_table
        wrap = pb.WatchRoutesRequest
        async for _ in self._watch(
            stream, wrap, table, lambda names: paced(gateway.routes.follow(table, names))
        ):
            yield

    async def _watch_keys(self) -> AsyncIterator[None]:
        gateway = self._gateway
        stream = self._stub.WatchKeys(metadata=self._metadata)
        table = gateway.key_table
        wrap = pb.WatchKeysRequest

        async def changed(_: Names) -> None:
            gateway.keys.replace(table.carried | table.current)

        async for _ in self._watch(stream, wrap, table, changed):
            yield

    async def _watch(
        self,
        stream: Stream,
        wrap: Callable[..., Any],
        table: Replica[T],
        changed: Callable[[Names], Awaitable[None]],
    ) -> AsyncIterator[None]:
        """Apply what comes, answer each update; raises what ends the stream."""
        try:
            await stream.write(wrap(watch=pb.Watch(gateway_id=self._id, held=table.identity)))
            asked_for_snapshot = False
            while (response := await stream.read()) is not grpc.aio.EOF:
                try:
                    applied = await paced(table.applying(response.update))
                except SnapshotWanted as gap:
                    if asked_for_snapshot:
                        raise
                    log.info("control: %s; asking for a snapshot", gap)
                    asked_for_snapshot = True
                    answer = pb.Watch(gateway_id=self._id, snapshot_wanted=True)
                else:
                    asked_for_snapshot = False
                    await changed(applied.names)
                    for name, reason in applied.unusable.items():
                        log.warning("control: %s cannot be used: %s", name, reason)
                    answer = pb.Watch(
                        gateway_id=self._id, held=table.identity, unusable=applied.unusable
                    )
                    yield
                await stream.write(wrap(watch=answer))
        finally:
            stream.cancel()

    async def _exchange_load(self) -> AsyncIterator[None]:
        gateway = self._gateway
        stream: Stream = self._stub.ExchangeLoad(metadata=self._metadata)
        inbox = Inbox(stream)
        loop = asyncio.get_running_loop()
        interval = LOAD_SECONDS
        gateway.learned.unheard()

        def doubt() -> asyncio.TimerHandle:
            """Forget what control tells of others, or who waits for that waits for ever.

            A timer of its own: to a control that is frozen a large message is never written.
            """
            return loop.call_later(STALE_SECONDS, gateway.routes.set_elsewhere, {})

        doubts = doubt()
        try:
            while True:
                await stream.write(self._load_message())
                # Control also tells what changed without being told anything: one answer
                # read for each message written would fall behind for ever.
                next_at = loop.time() + interval
                while (left := next_at - loop.time()) > 0:
                    response = await inbox.receive(left)
                    if response is grpc.aio.EOF:
                        return
                    if response is not None:
                        doubts.cancel()
                        doubts = doubt()
                        gateway.routes.set_elsewhere(elsewhere(response.loads))
                        gateway.learned.tell(told(response.rates))
                        self._hints.heed(
                            one.service_id for one in response.loads if one.HasField("ejection")
                        )
                        interval = response.interval.ToTimedelta().total_seconds() or interval
                        yield
        finally:
            doubts.cancel()
            await inbox.close()
            gateway.unheard()
            self._hints.heed(())

    def _load_message(self) -> pb.ExchangeLoadRequest:
        """Return what control is told four times a second."""
        gateway = self._gateway
        ejections = gateway.rotation.ejections(gateway.clock())
        news = gateway.learned.news(MAX_RATES)
        known = gateway.routes.upstreams
        slots = {
            one.service_id: known[one.service_id].capacity.slots
            for one in news
            if one.service_id in known
        }
        return pb.ExchangeLoadRequest(
            gateway_id=self._id,
            loads=load_messages(gateway.loads(), ejections),
            rates=rate_messages(news, slots),
        )
