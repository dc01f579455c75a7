"""What answers about routes are made of, at one moment, and the thread they are made in."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from control.api.errors import RateLimited
from control.ejections import Ejection
from control.inventory import Host, Service
from control.live import Loads
from control.members import Member, Offer
from control.membership import Membership
from control.ranking.candidates import Candidate
from control.ranking.offering import Rules
from control.ranking.picking import Load
from control.ranking.questions import Seen
from control.ranking.subject import Subject
from control.table.compile import Compiler
from control.table.watch import Hub, Identity

# Services looked at in one go, about 5 us each; heartbeats are answered in between.
SLICE = 200
# One is answered at a time. Who asks beside so many others would wait too long anyway.
MAX_ASKED = 32

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class View:
    """What is known of routes at one moment; nothing in it changes any more.

    targets: candidates by name by operation, as gateways are told them. seen: services,
    by id. settled: whether what is not there is gone. table: what gateways are told.
    ejections: what they keep out, by service.
    """

    rules: Rules
    targets: Mapping[str, Mapping[str, Sequence[Candidate]]]
    seen: Mapping[str, Seen]
    settled: bool
    table: Identity
    ejections: Mapping[str, Ejection] = field(default_factory=dict)


class Lookout:
    """Answers questions beside the event loop, one after the other.

    subject: tells all that is seen of a service.
    """

    def __init__(
        self,
        membership: Membership,
        compiler: Compiler,
        routes: Hub,
        loads: Loads,
        subject: Callable[[Host, Offer], Subject],
    ) -> None:
        self._membership = membership
        self._compiler = compiler
        self._routes = routes
        self._loads = loads
        self._subject = subject
        self._asked = 0
        self._turn = asyncio.Lock()

    async def ask(self, question: Callable[[View], T]) -> T:
        """Return what `question` makes of what is known now; it runs in another thread.

        Raises:
            RateLimited: too many others ask at the same time.
            GenieHiveError: whatever `question` raises.
        """
        if self._asked >= MAX_ASKED:
            raise RateLimited(f"{MAX_ASKED} questions about routes wait for an answer already")
        self._asked += 1
        try:
            async with self._turn:
                view = await self._view()
                answering = asyncio.create_task(asyncio.to_thread(question, view))
                try:
                    return await asyncio.shield(answering)
                finally:
                    # A thread cannot be stopped; the next question is not answered beside it.
                    await asyncio.gather(answering, return_exceptions=True)
        finally:
            self._asked -= 1

    async def _view(self) -> View:
        seen: dict[str, Seen] = {}
        for place, one in enumerate(self._services(), 1):
            seen[one.subject.service.service_id] = one
            if place % SLICE == 0:
                await asyncio.sleep(0)
        return View(
            self._compiler.rules,
            {operation: dict(names) for operation, names in self._compiler.targets.items()},
            seen,
            self._routes.settled,
            self._routes.identity,
            self._loads.ejections.all(),
        )

    def _services(self) -> Iterator[Seen]:
        # Hosts come and go between two slices; what they offer is replaced, never changed.
        for member in list(self._membership.members.values()):
            for offer in member.offers.values():
                yield self._seen(member, offer)

    def _seen(self, member: Member, offer: Offer) -> Seen:
        service, observation = offer.service, offer.observation
        return Seen(
            self._subject(member.host, offer),
            member.state,
            self._membership.health(offer),
            self._membership.why_unwell(offer),
            self._membership.held_back(offer),
            self._membership.drained.names_over(service.service_id),
            self._load(service, observation.queue_depth or 0),
            observation.detail,
        )

    def _load(self, service: Service, queue_depth: int) -> Load:
        loads, service_id = self._loads, service.service_id
        speeds = {
            asset.asset_id: speed
            for asset in service.assets
            if (speed := loads.speeds.believed(service_id, asset.asset_id)) is not None
        }
        return Load(
            loads.total(service_id),
            queue_depth,
            service.concurrency,
            loads.pending.of(service_id) / 1_000,
            self._compiler.rules.waiting.on,
            speeds,
            loads.waiting.of(service_id),
            sum(asset.loaded for asset in service.assets),
        )
