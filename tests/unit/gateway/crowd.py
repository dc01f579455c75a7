"""A gateway with a clock of its own, its clients, and services that answer when they are told."""

import asyncio
import json

from geniehive.v1 import routing_service_pb2 as pb

from control.api.errors import GenieHiveError, UpstreamError
from gateway.config import Config
from gateway.exchange import Exchange
from gateway.gateway import Gateway
from gateway.request_head import RequestHead
from gateway.resources import read_resource
from gateway.upstream import Unreachable
from tests.unit.gateway.pushed import CHAT, follow_all, service, target
from tests.unit.gateway.test_exchange_life import EVENT, Call, Client

JSON = (b"content-type", b"application/json")
ANSWER = b'{"object":"chat.completion","choices":[]}'
DONE = b"data: [DONE]\n\n"
TURNS = 4  # of the loop, in which whatever was begun in one of them is done


class Ring:
    """Keys that are what their clients are called."""

    settings, closed = None, False

    def principal(self, credential):
        return credential.key.decode()


class Guest(Client):
    """A client that asked: what it got, and how often it was sent to a service.

    tried: services, in the order in which it was sent to them. hurried: whether it has little
    time.
    """

    def __init__(self, number, model, principal, priority, since):
        super().__init__()
        self.number, self.model, self.principal = number, model, principal
        self.priority, self.since = priority, since
        self.status, self.head, self.gone = 0, b"", False
        self.tried, self.hurried = [], False

    def start(self, status, head):
        super().start(status, head)
        self.status, self.head = status, head

    @property
    def over(self):
        return bool(self.ends) or self.gone


class ScriptedGateway(Gateway):
    """A gateway whose services answer nothing by themselves; `sent` hears of each request."""

    def __init__(self, settings, clock, random, sent):
        self._sent = sent
        super().__init__(settings, clock=clock, random=random)
        self.keys = Ring()
        self.checkups.begin = lambda upstreams, now: None

    def _open(self, service_id, origin):
        upstream = super()._open(service_id, origin)
        upstream.call = lambda receiver, *_: self._sent(upstream, receiver)
        return upstream


class Crowd:
    """Services by id with the slots that their nodes report, models by the services that have them.

    sent: of each request that was sent, guest and upstream at that moment.
    """

    def __init__(
        self,
        slots,
        models=None,
        *,
        room=True,
        strategy=pb.STRATEGY_LEAST_LOADED,
        absent=(),
        tiers=(),
        sent=lambda guest, upstream: None,
        random=lambda: 0.0,
        **settings,
    ):
        self.now = 1_000.0
        self.slots, self.room, self.strategy = dict(slots), room, strategy
        self.models = models or {"m": list(slots)}
        self.absent = set(absent)  # of (model, service)
        self.tiers = dict(tiers)  # by service, where it is none of the best
        self.guests, self.calls, self._by_exchange = [], {}, {}
        self._told = sent
        self.gateway = ScriptedGateway(Config(**settings), lambda: self.now, random, self._sent)
        self.push()

    # What control does.

    def push(self, **fields):
        """Push all that is known now, after setting these of it."""
        for name, value in fields.items():
            setattr(self, name, value)
        settings = pb.RoomSettings(
            waiting=self.room, priority=pb.PRIORITY_NORMAL, highest_priority=pb.PRIORITY_HIGH
        )
        resources = [pb.Resource(name="room", room=settings)]
        for name, slots in self.slots.items():
            told = service(name)
            told.service.concurrency = slots
            resources.append(told)
        for model, services in self.models.items():
            candidates = [
                (name, 0.5, self._candidate(model, name)) for name in services if name in self.slots
            ]
            resources.append(target(model, *candidates, strategy=self.strategy))
        table = self.gateway.route_table
        table.current = {one.name: read_resource(one) for one in resources}
        follow_all(self.gateway.routes, table)

    def _candidate(self, model, name):
        absent = (model, name) in self.absent
        return {"asset_id": model, "absent": absent, "tier": self.tiers.get(name, 0)}

    # What clients do.

    def come(self, model="m", principal="k", *, priority=None, seconds=None, stream=False, size=0):
        """Return a client that has asked. size: bytes of its prompt."""
        guest = Guest(len(self.guests), model, principal, priority or "normal", self.now)
        guest.hurried = seconds is not None
        self.guests.append(guest)
        headers = [JSON, (b"authorization", b"Bearer " + principal.encode())]
        if priority is not None:
            headers.append((b"x-geniehive-priority", priority.encode()))
        if seconds is not None:
            headers.append((b"x-request-timeout", b"%g" % seconds))
        head = RequestHead(CHAT, b"/v1/chat/completions", headers)
        guest.exchange = Exchange(self.gateway, guest, head)
        self._by_exchange[guest.exchange] = guest
        try:
            guest.exchange.admit(None)
        except GenieHiveError as error:  # as the door answers it
            guest.respond(error.http, b"", error.code.encode())
            return guest
        messages = [{"role": "user", "content": "x" * size}]
        body = {"model": model, "stream": stream, "messages": messages}
        guest.exchange.run(json.dumps(body).encode())
        return guest

    def leave(self, guest):
        if not guest.over:
            guest.gone = True
            guest.exchange.cancel()

    # What services do.

    def _sent(self, upstream, receiver):
        guest = self._by_exchange[receiver]
        call = Call(receiver)
        call.upstream = upstream
        self.calls[guest.number] = call
        guest.tried.append(upstream.service_id)
        self._told(guest, upstream)
        return call

    def begin(self, guest):
        """Let the first token of a stream come."""
        self.calls[guest.number].head(200, "events")
        self.calls[guest.number].data(EVENT)

    def finish(self, guest, answer=ANSWER):
        """Let the answer come to its end. answer: where it is no stream."""
        call = self.calls[guest.number]
        if call.headed:
            call.data(EVENT + DONE, done=True)
        else:
            call.head(200, "json")
            call.data(answer, done=True)

    def fail(self, guest, kind):
        """Let the service fail: it is `away`, the connection is `lost`, or it is `busy`."""
        call = self.calls[guest.number]
        if kind == "busy":
            call.head(429, "json")
        else:
            errors = {"away": Unreachable("it is away"), "lost": UpstreamError("it is lost")}
            call.fail(errors[kind])

    # Time.

    def wait(self, seconds):
        self.now += seconds
        self.gateway.sweep(self.now)

    async def turn(self):
        """Let everything happen that was begun."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    # What can be seen.

    @property
    def served(self):
        """The clients for whom a service works now."""
        live = [number for number, call in self.calls.items() if call.receiver is not None]
        return [self.guests[number] for number in live]

    @property
    def waiting(self):
        """The clients that are neither answered nor served, nor gone."""
        served = {one.number for one in self.served}
        return [one for one in self.guests if not one.over and one.number not in served]

    def counters(self):
        """Return all that is counted of requests under way; all of it is 0 when there are none."""
        gateway = self.gateway
        upstreams = gateway.routes.busy()
        return {
            "active": len(gateway.active),
            "in the room": gateway.room.waiting,
            "under way": gateway.admission.under_way,
            "bytes": gateway.admission.held,
            "retries": gateway.retry_budget.under_way,
            "in flight": sum(one.in_flight for one in upstreams),
            "pending": round(sum(one.pending for one in upstreams), 6),
            "booked": sum(one.booked for one in upstreams),
            "kept": sum(one.reserved for one in upstreams),
        }
