"""What control explains is what gateways do: the same registries, through both."""

import random as chance
from random import Random

from control.api.errors import NoHealthyRoute
from control.api.strategies import Strategy
from control.health import well
from control.inventory import Operation
from control.messages import OPERATION_VALUES
from control.ranking.explaining import explain
from control.routing import update_message
from control.table.compile import Compiler, Entry
from control.table.offered import Presence
from control.table.watch import Hub
from gateway.config import Ejection
from gateway.resources import read_resource
from gateway.rotation import Rotation
from gateway.routes import Routes
from gateway.steps import finished
from gateway.table import Replica
from tests.unit.control.ranking.registries import Registry, registry
from tests.unit.gateway.pushed import StubUpstream

REGISTRIES = 1_000
TAKES = 12


def presence(one) -> Presence:
    if not well(one.host, one.health, one.subject.signals.availability):
        return Presence.UNROUTABLE
    return Presence.HELD_BACK if one.held_back else Presence.ROUTABLE


def pushed(found: Registry) -> Routes:
    """Return the routes of a gateway that follows control's table of a registry."""
    compiler, hub = Compiler(), Hub("s", "i", settled=False)
    compiler.rule(found.rules)
    compiler.settle()
    for one in found.seen:
        compiler.take(one.subject.service.service_id, Entry(one.subject, presence(one)))
    table, routes = Replica(read_resource), Routes(StubUpstream)
    watcher = hub.join("g", None)
    while compiler.waiting:
        hub.publish(compiler.make(hub.table, 40), settled=not compiler.waiting)
        update = hub.due(watcher)
        if update is not None:
            applied = table.apply(update_message(update))
            assert not applied.unusable
            finished(routes.follow(table, applied.names))
            watcher.acknowledge({}, snapshot_wanted=False)
    for one in found.seen:
        if (upstream := routes.upstreams.get(one.subject.service.service_id)) is not None:
            upstream.queue_depth = upstream.elsewhere = one.load.queue_depth
            upstream.in_flight = one.load.in_flight
            upstream.gated, upstream.most = False, 1_000  # whoever is picked takes it
    return routes


def taken(routes: Routes, operation: Operation, name: str, strategy: Strategy) -> set[str]:
    """Return the services that requests go to, each as if it was the only one."""
    try:
        route = routes.resolve(OPERATION_VALUES[operation], name)
    except NoHealthyRoute:
        return set()
    assert route.strategy is strategy
    services = set()
    rotation = Rotation(Ejection(), chance.random)
    for _ in range(TAKES):
        _, choice = rotation.take([route], (), 0.0)
        choice.upstream.in_flight -= 1
        route.asked(choice)
        services.add(choice.upstream.service_id)
    return services


def test_requests_go_where_control_says_they_would():
    random = Random(5)
    served = 0
    for _ in range(REGISTRIES):
        found = registry(random)
        routes = pushed(found)
        for operation in (Operation.CHAT, Operation.EMBEDDINGS):
            known = sorted(routes._routes[OPERATION_VALUES[operation]])
            for name in random.sample(known, min(4, len(known))):
                explained = explain(name, operation, found.seen, found.rules)
                expected = {one.service_id for one in explained.explanations if one.chosen}
                services = taken(routes, operation, name, explained.strategy)
                if explained.strategy is Strategy.POWER_OF_TWO:
                    assert services <= expected
                    assert bool(services) == bool(expected)
                else:
                    assert services == expected, (name, explained)
                served += bool(services)

    assert served > REGISTRIES
