"""Following a table name by name comes to the same as making all routes anew."""

from itertools import islice

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from control.api.errors import GenieHiveError
from gateway.resources import WORDS, Service, Target, policy_name, read_resource
from gateway.routes import Routes
from gateway.table import Replica
from tests.unit.gateway.pushed import (
    CHAT,
    EMBEDDINGS,
    StubUpstream,
    follow_all,
    service,
    target,
)
from tests.unit.gateway.pushed import policy as policy_resource
from tests.unit.gateway.updates import Control

SERVICES = ["h/a", "h/b"]
IDS = st.sampled_from(SERVICES)
NAMES = st.sampled_from(["m", "h/a"])
OPERATIONS = st.sampled_from([CHAT, EMBEDDINGS])
POLICIES = [1, 2]
FIELDS = st.fixed_dictionaries(
    {}, optional={"tier": st.integers(0, 1), "policy_id": st.sampled_from(POLICIES)}
)
CANDIDATE = st.tuples(IDS, st.integers(0, 1), FIELDS)
CANDIDATES = st.lists(CANDIDATE, max_size=2, unique_by=lambda one: one[0])


class Rebuilt:
    """The routes of a table, all made anew each time: the plain way that is the model."""

    def __init__(self):
        self.upstreams, self.leaving, self.routes = {}, {}, {}

    def replace(self, table):
        resources = table.carried | table.current
        carried = {
            resource.service_id
            for name, resource in table.carried.items()
            if isinstance(resource, Service) and name not in table.current
        }
        self._keep_upstreams(
            {one.service_id: one for one in resources.values() if isinstance(one, Service)}
        )
        self.routes = {operation: {} for operation in WORDS}
        for name, found in resources.items():
            if isinstance(found, Target):
                candidates = dict(found.candidates)
                for service_id, one in table.carried.get(name, found).candidates.items():
                    if service_id in carried:
                        candidates.setdefault(service_id, one)
                usable = [
                    one
                    for one in candidates.values()
                    if not one.policy_id or policy_name(one.policy_id) in resources
                ]
                self.routes[found.operation][found.name] = self._route(found.name, usable)

    def _keep_upstreams(self, services):
        for service_id in self.upstreams.keys() - services.keys():
            self.leaving[service_id] = self.upstreams.pop(service_id)
        for service_id, found in services.items():
            upstream = self.upstreams.get(service_id) or self.leaving.pop(service_id, None)
            if upstream is None:
                upstream = StubUpstream(service_id, found.origin)
            upstream.origin, upstream.host_id = found.origin, found.host_id
            self.upstreams[service_id] = upstream
        self.leaving = {one.service_id: one for one in self.leaving.values() if one.in_flight}

    def _route(self, name, candidates):
        known = [one for one in candidates if one.service_id in self.upstreams]
        ordered = sorted(known, key=lambda one: (one.tier, -one.score, one.service_id))
        pool = sum(one.tier == ordered[0].tier for one in ordered)
        return [self._choice(name, one) for one in ordered], pool

    def _choice(self, name, candidate):
        upstream = self.upstreams[candidate.service_id]
        head = (
            f"x-geniehive-route: {name}\r\n"
            f"x-geniehive-service: {candidate.service_id}\r\n"
            f"x-geniehive-host: {upstream.host_id}\r\n"
            f"x-geniehive-asset: {candidate.asset_id}\r\n"
        )
        return upstream.service_id, f'"{candidate.asset_id}"'.encode(), head.encode()


class Following(RuleBasedStateMachine):
    """One control after the other changes its table; a gateway follows, sometimes interrupted."""

    def __init__(self):
        super().__init__()
        self.control = Control()
        self.lives = 0
        self.replica = Replica(read_resource)
        self.routes = Routes(StubUpstream)
        self.model = Rebuilt()
        self.whole = False  # whether all that was applied was followed, too
        known = [service(one) for one in SERVICES]
        self.control.delta([*known, target("m", ("h/a", 1), ("h/b", 1))])
        self._take(self.control.snapshot())

    def _take(self, update, steps=None):
        """Apply an update; follow it only for so many `steps`, if that is given."""
        applied = self.replica.apply(update)
        self.model.replace(self.replica)
        following = self.routes.follow(self.replica, applied.names)
        for _ in islice(following, steps):
            pass
        following.close()
        self.whole = steps is None

    @rule(service_id=IDS, port=st.integers(1, 2), host=st.sampled_from("gh"))
    def change_service(self, service_id, port, host):
        self._take(self.control.delta([service(service_id, f"127.0.0.1:{port}", host_id=host)]))

    @rule(name=NAMES, operation=OPERATIONS, candidates=CANDIDATES, steps=st.none() | st.just(0))
    def change_target(self, name, operation, candidates, steps):
        changed = target(name, *candidates, operation=operation)
        self._take(self.control.delta([changed, *self._policies(candidates)]), steps)

    @rule(candidates=CANDIDATES, steps=st.none() | st.just(0), removed=st.sets(IDS))
    def patch_target(self, candidates, removed, steps):
        held = self.control.held.get("target/chat/m")
        if held is not None:
            policies = self._policies(candidates)
            self._take(self.control.patch(held, candidates, removed, policies), steps)

    def _policies(self, candidates):
        """Return the policies that `candidates` refer to: control tells them at the same time."""
        used = {fields["policy_id"] for _, _, fields in candidates if "policy_id" in fields}
        return [policy_resource(one) for one in sorted(used)]

    @rule(data=st.data(), steps=st.none() | st.integers(0, 3))
    def remove(self, data, steps):
        if names := sorted(one for one in self.control.held if not one.startswith("policy/")):
            some = st.lists(st.sampled_from(names), min_size=1, unique=True)
            self._take(self.control.delta(gone=data.draw(some)), steps)

    @rule(steps=st.none() | st.integers(0, 3), kept=st.booleans())
    def restart(self, steps, kept):
        self.lives += 1
        held = self.control.held if kept else {}
        self.control = Control(incarnation=str(self.lives))
        self.control.held, self.control.settled = dict(held), False
        self._take(self.control.snapshot(), steps)

    @rule(steps=st.none() | st.integers(0, 3))
    def settle(self, steps):
        self.control.settled = True
        self._take(self.control.delta(), steps)

    @rule(steps=st.none() | st.integers(0, 3))
    def take_snapshot(self, steps):
        self._take(self.control.snapshot(), steps)

    @precondition(lambda self: self.whole)
    @rule(service_id=IDS, in_flight=st.integers(0, 2))
    def be_busy(self, service_id, in_flight):
        for upstreams in (self.routes.upstreams, self.model.upstreams):
            if service_id in upstreams:
                upstreams[service_id].in_flight = in_flight

    @rule()
    def follow_all(self):
        self.model.replace(self.replica)
        follow_all(self.routes, self.replica)
        self.whole = True

    @invariant()
    def routes_are_those_made_anew(self):
        if not self.whole:
            return
        for operation, expected in self.model.routes.items():
            for name in ("m", *SERVICES):
                assert found(self.routes, operation, name) == expected.get(name, ([], 0))
        assert upstreams(self.routes.upstreams) == upstreams(self.model.upstreams)
        busy = {one.service_id: one.in_flight for one in self.routes.busy()}
        assert busy == {
            one.service_id: one.in_flight
            for one in (*self.model.upstreams.values(), *self.model.leaving.values())
        }

    @invariant()
    def models_can_be_listed(self):
        self.routes.names()


def found(routes, operation, name):
    try:
        route = routes.resolve(operation, name)
    except GenieHiveError:
        return [], 0
    choices = [(one.upstream.service_id, one.asset, one.head) for one in route.choices]
    return choices, len(route.pool)


def upstreams(by_id):
    return {one.service_id: (one.origin, one.host_id, one.in_flight) for one in by_id.values()}


Following.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestFollowing = Following.TestCase
