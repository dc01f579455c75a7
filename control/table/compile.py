"""The route table from the registered services: only what is dirty is made again.

`service/<id>` says how to reach a service. `target/<operation>/<name>` says who
serves a name: that of an asset, of a service or of a role. `policy/<id>` is a request
policy that candidates of targets refer to. `room` says how requests wait.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice

from control.api.priorities import WORDS
from control.api.strategies import Strategy
from control.inventory import Operation
from control.ranking.candidates import Candidate
from control.ranking.offering import Rules, offered
from control.ranking.roles import Role
from control.ranking.scoring import queue_steps
from control.ranking.subject import Subject
from control.table.diff import Delta, changes
from control.table.offered import Offered, Presence
from control.table.policies import Policies
from control.table.resources import (
    ROOM,
    Dispatch,
    Resource,
    RoomSettings,
    RouteService,
    Target,
    service_name,
    target_name,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered service, as far as routing is concerned."""

    subject: Subject
    presence: Presence


@dataclass(slots=True)
class _Taken:
    """A service that was taken over, or is being so."""

    entry: Entry
    rules: Rules  # by which it was
    under: tuple[Offered, ...] = ()  # names that it is offered for


Key = tuple[Operation, str]
Dirty = str | Key  # a service, by id, or a target

# Candidates of a target that cost as much to copy as one more resource takes to make.
CANDIDATES_A_RESOURCE = 5_000
JUDGED_A_RESOURCE = 100  # the same where new rules changed most of them
# While services are taken over, at least this share of what they cost goes into resources.
RESOURCES_SHARE = 1 / 8


class Compiler:
    """Follows services and rules, and says what each of their changes means for the route table."""

    def __init__(self) -> None:
        # Ranked candidates by operation and name; empty when nobody can serve it now.
        self.targets: dict[str, dict[str, tuple[Candidate, ...]]] = {o: {} for o in Operation}
        self._follow(Rules())
        self._room_waits = False  # to be told; with the first rules, gateways hear of it
        self._settled = False
        self._taken: dict[str, _Taken] = {}
        self._offered: dict[Key, Offered] = {}
        self._policies = Policies()
        self._arriving: dict[str, Entry | None] = {}  # the latest, not looked at yet
        self._again: dict[str, None] = {}  # taken by rules that are not those of now; a set
        self._taking: Iterator[None] | None = None  # the one that is being taken over
        self._judged_again = False  # whether that is, or the last one was, for new rules
        # To be made again; a set that keeps its order. What only rules may have changed waits.
        self._dirty: dict[Dirty, None] = {}
        self._stale: dict[Dirty, None] = {}

    @property
    def arriving(self) -> int:
        """How many services have changed and were not looked at yet."""
        return len(self._arriving)

    @property
    def waiting(self) -> int:
        """How much is still to be done: resources to be made again, services to be taken over."""
        resources = len(self._dirty) + len(self._stale)
        services = len(self._arriving) + len(self._again) + (self._taking is not None)
        return resources + services + self._room_waits

    def offered(self, role: Role) -> Offered:
        """Return everything that is offered for a role; gateways are told within moments."""
        key = role.operation, role.role_id
        return self._offered.get(key, Offered(*key))

    def roles(self, service_id: str) -> Iterator[tuple[str, Candidate]]:
        """Yield the roles that a service would serve now, in no order, and what it is for each."""
        taken = self._taken.get(service_id)
        for one in taken.under if taken is not None else ():
            operation, name = one.key
            role = self.rules.roles.get(name)
            if role is None or role.operation is not operation:
                continue
            if (candidate := one.serving(service_id)) is not None:
                yield name, candidate

    def take(self, service_id: str, entry: Entry | None) -> None:
        """Take over a service, None for one that is gone; what that changes waits to be made."""
        self._arriving[service_id] = entry

    def rule(self, rules: Rules) -> None:
        """Follow new rules from now on; what that changes waits to be made, after other changes."""
        self._follow(rules)
        self._room_waits = True
        for role in rules.roles.values():
            self._of(role.operation, role.role_id)
        self._again = dict.fromkeys(self._taken)
        # How any of them is dispatched may be new, and what is no role any more must go.
        self._stale.update(dict.fromkeys(self._offered))

    def settle(self) -> None:
        """Take it that whoever is not there is gone: roles without any service can be told so."""
        if not self._settled:
            self._settled = True
            roles = self.rules.roles.values()
            self._dirty.update(dict.fromkeys((role.operation, role.role_id) for role in roles))

    def make(self, table: Mapping[str, Resource], limit: int) -> Delta:
        """Make what waits; return what that changes in `table`.

        limit: resources and offers, after which the rest is left waiting; a wide resource
        counts for more. Offers come first, but for a part.
        """
        left = self._take_over(limit)
        fresh = self._policies.new()
        if self._room_waits:
            fresh[ROOM], self._room_waits = self._room, False
        for dirty in self._batch(max(left, limit * RESOURCES_SHARE)):
            if isinstance(dirty, str):
                name = service_name(dirty)
                fresh[name] = self._route_service(name, dirty, told=name in table)
            else:
                name = target_name(*dirty)
                fresh[name] = self._target(name, dirty, table.get(name))
        if not (self._dirty or self._stale):
            fresh |= self._policies.unneeded()
        return changes(table, fresh)

    def _follow(self, rules: Rules) -> None:
        scoring = rules.scoring
        self.rules = rules
        self._direct = Dispatch(
            rules.strategy, queue_steps=queue_steps(scoring, scoring.service.runtime)
        )
        self._role_steps = queue_steps(scoring, scoring.role.runtime)
        waiting = rules.waiting
        self._room = Resource.of(ROOM, RoomSettings(waiting.on, waiting.usual, waiting.highest))

    def _batch(self, limit: float) -> list[Dirty]:
        batch: list[Dirty] = []
        # Half judged, services would be compared by two rules, and the first alone have a role.
        judged = not (self._again or (self._judged_again and self._taking))
        for dirty in chain(self._dirty, self._stale if judged else ()):
            if limit <= 0:
                break
            batch.append(dirty)
            width = 0 if isinstance(dirty, str) else len(self._offered[dirty])
            a_resource = CANDIDATES_A_RESOURCE if dirty in self._dirty else JUDGED_A_RESOURCE
            limit -= 1 + width // a_resource
        batch = list(dict.fromkeys(batch))
        for dirty in batch:
            self._dirty.pop(dirty, None)
            self._stale.pop(dirty, None)
        return batch

    # Taking services over.

    def _take_over(self, limit: int) -> int:
        """Go on with the services that wait for it, for so many offers; return what is left."""
        while limit > 0 and (self._taking or self._arriving or self._again):
            if self._taking is None:
                self._taking = self._next()
            offers = sum(1 for _ in islice(self._taking, limit))
            if offers < limit:
                self._taking = None
            limit -= max(offers, 1)
        return limit

    def _next(self) -> Iterator[None]:
        # By turns: neither does a service that went down wait for all the others, nor do
        # new rules wait for ever while services come and go.
        self._judged_again = bool(self._again) and not (self._judged_again and self._arriving)
        if self._judged_again:
            service_id = next(iter(self._again))
            del self._again[service_id]
            return self._taking_over(service_id, self._taken[service_id].entry, self._stale)
        service_id = next(iter(self._arriving))
        return self._taking_over(service_id, self._arriving.pop(service_id), self._dirty)

    def _taking_over(
        self, service_id: str, entry: Entry | None, changed: dict[Dirty, None]
    ) -> Iterator[None]:
        """Take over a service, an offer at a time: one may make ten thousand.

        changed: gets what is to be made again for it.
        """
        taken = self._taken.get(service_id)
        if taken is None:
            if entry is None:
                return
            taken = self._taken[service_id] = _Taken(entry, self.rules)
        elif taken.entry == entry and taken.rules is self.rules:
            return
        under: dict[Offered, None] = {}  # a set that keeps its order
        if entry is not None:
            taken.entry, taken.rules = entry, self.rules
            # A target that names a service should not come before it.
            changed[service_id] = None
            for offer in offered(entry.subject, taken.rules):
                if offer is not None:
                    operation, name, candidate = offer
                    under[one := self._of(operation, name)] = None
                    if self._put(one, candidate, taken):
                        changed[one.key] = None
                yield None
        for one in taken.under:
            if one not in under:
                if self._drop(one, service_id):
                    changed[one.key] = None
                yield None
        taken.under = tuple(under)
        if entry is None:
            del self._taken[service_id]
            self._again.pop(service_id, None)
            changed[service_id] = None

    def _put(self, one: Offered, candidate: Candidate, taken: _Taken) -> bool:
        service_id, (_, name) = candidate.service_id, one.key
        named = service_id != name or candidate.asset_id == name or name in taken.rules.roles
        before = one.candidate(service_id)
        if not one.put(candidate, taken.entry.presence, named=named):
            return False
        self._policies.swap(before.policy if before else None, candidate.policy)
        return True

    def _drop(self, one: Offered, service_id: str) -> bool:
        if (before := one.candidate(service_id)) is None:
            return False
        one.drop(service_id)
        self._policies.swap(before.policy, None)
        return True

    def _of(self, operation: Operation, name: str) -> Offered:
        if (found := self._offered.get((operation, name))) is None:
            found = self._offered[operation, name] = Offered(operation, name)
        return found

    # Making resources.

    def _target(self, resource: str, key: Key, told: Resource | None) -> Resource | None:
        """Make the target of `key` again; None when nothing may be said of it.

        told: what the table says of it already.
        """
        operation, name = key
        offered = self._offered[key]
        role = self.rules.roles.get(name)
        if role is not None and role.operation is not operation:
            role = None
        if not offered and role is None:
            del self._offered[key]
            self.targets[operation].pop(name, None)
            return None
        meant = offered.meant
        candidates = self.targets[operation][name] = tuple(meant.candidates)
        undecided = offered.undecided or (role is not None and not self._settled)
        if not candidates and told is None and undecided:
            # "Nobody serves it" would take a working route from gateways that
            # outlived control's last life; they keep it until the host is back.
            return None
        target = Target(name, operation, candidates, self._dispatch(role))
        # A patch has no place for anything but candidates.
        builds = (
            told is not None
            and told.hash == offered.told_hash
            and isinstance(told.body, Target)
            and told.body.dispatch == target.dispatch
        )
        patch = offered.patch() if builds else None
        made = Resource.of_target(resource, target, meant.contents, patch)
        offered.tell(made.hash)
        return made

    def _dispatch(self, role: Role | None) -> Dispatch:
        if role is None:
            return self._direct
        strategy = Strategy(role.routing.strategy or self.rules.strategy)
        priority = WORDS.get(role.routing.priority)
        return Dispatch(strategy, True, role.stand_ins, self._role_steps, priority)

    def _route_service(self, name: str, service_id: str, *, told: bool) -> Resource | None:
        taken = self._taken.get(service_id)
        if taken is None:
            return None
        if taken.entry.presence is Presence.UNDECIDED and not told:
            # Heard of without its names, it would look like a service that lost them.
            return None
        service = taken.entry.subject.service
        if not service.callable:
            # Of control's last life: nobody shall call it without its key or its relay's token.
            return None
        return Resource.of(
            name,
            RouteService(
                service_id,
                service.host_id,
                service.endpoint,
                service.concurrency,
                # Of others nobody asks; each sleep of a model would be an update.
                sum(one.loaded for one in service.assets) if service.loads_on_request else 0,
                service.api_key,
            ),
        )
